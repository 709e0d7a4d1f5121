import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inBatches } from '../../src/api/graphql/in-batches.ts'

/** A source that gives what is pushed, and counts what is taken. */
function source() {
  const waiting: number[] = []
  let reader: PromiseWithResolvers<IteratorResult<number>> | undefined
  let fault: Error | undefined
  const seen = { taken: 0, left: false }
  const iterator: AsyncIterator<number> = {
    next() {
      const value = waiting.shift()
      if (value === undefined) {
        reader = Promise.withResolvers()
        if (fault) reader.reject(fault)
        return reader.promise
      }
      seen.taken++
      return Promise.resolve({ done: false, value })
    },
    async return() {
      seen.left = true
      return { done: true, value: undefined }
    },
  }
  return {
    seen,
    push(...values: number[]) {
      waiting.push(...values)
      if (!reader) return
      const { resolve } = reader
      reader = undefined
      seen.taken++
      resolve({ done: false, value: waiting.shift()! })
    },
    fail(error: Error) {
      fault = error
      reader?.reject(error)
    },
    end: () => reader?.resolve({ done: true, value: undefined }),
    events: { [Symbol.asyncIterator]: () => iterator },
  }
}

test('what is there together comes together, in order', async () => {
  const { push, events } = source()
  const batches = inBatches(events, 10)
  const first = batches.next()
  push(1)
  push(2, 3)
  assert.deepEqual((await first).value, [1, 2, 3])
  const second = batches.next()
  push(4)
  assert.deepEqual((await second).value, [4])
})

test('a batch has its limit, and what is beyond waits at the source', async () => {
  const { push, events, seen } = source()
  push(1, 2, 3, 4, 5, 6, 7, 8)
  const batches = inBatches(events, 3)
  assert.deepEqual((await batches.next()).value, [1, 2, 3])
  assert.equal(seen.taken, 4)
  assert.deepEqual((await batches.next()).value, [4, 5, 6])
  assert.deepEqual((await batches.next()).value, [7, 8])
})

test('what the source throws comes after what it gave, also when it throws in between', async () => {
  const { push, fail, events, seen } = source()
  const batches = inBatches(events, 10)
  push(1)
  assert.deepEqual((await batches.next()).value, [1])
  fail(new Error('too slow'))
  await new Promise(setImmediate) // an unhandled rejection would end the process here
  await assert.rejects(batches.next(), /too slow/)
  assert.equal(seen.left, true)
})

test('it ends with its source, and leaves it when its own reader leaves', async () => {
  const ending = source()
  const last = inBatches(ending.events, 10).next()
  ending.end()
  assert.equal((await last).done, true)
  const left = source()
  left.push(1)
  const batches = inBatches(left.events, 10)
  await batches.next()
  await batches.return(undefined)
  assert.equal(left.seen.left, true)
})
