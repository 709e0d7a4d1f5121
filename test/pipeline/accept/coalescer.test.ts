import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AcceptAnswer, NewIntent } from '../../../src/domain/intent.ts'
import { createCoalescer, ShuttingDownError } from '../../../src/pipeline/accept/coalescer.ts'

const intent = (type: string): NewIntent => ({
  tenantId: 't',
  kind: 'direct',
  type,
  priority: 1,
  source: 'graphql',
  payload: { data: {}, metadata: {} },
})
const answer = ({ type }: NewIntent): AcceptAnswer => ({ status: 'accepted', intentId: type })

function coalescer(accept: (intents: readonly NewIntent[]) => Promise<AcceptAnswer[]>, flushRows = 100) {
  const committed: number[] = []
  const made = createCoalescer({
    accept,
    onCommitted: (intents) => committed.push(intents.length),
    flushMs: 1,
    flushRows,
    maxInFlight: 2,
    worthOwn: 1,
  })
  return { made, committed }
}

test('concurrent requests share a commit, and each gets its own answers', async () => {
  const { made, committed } = coalescer(async (intents) => intents.map(answer))
  const answers = await Promise.all(['a', 'b', 'c'].map((type) => made.submit([intent(type), intent(`${type}2`)])))
  assert.deepEqual(
    answers.map((two) => two.map(({ intentId }) => intentId)),
    [
      ['a', 'a2'],
      ['b', 'b2'],
      ['c', 'c2'],
    ],
  )
  assert.deepEqual(committed, [6])
})

test('a batch is cut at its greatest size', async () => {
  const sizes: number[] = []
  const { made } = coalescer(async (intents) => {
    sizes.push(intents.length)
    return intents.map(answer)
  }, 4)
  await Promise.all(Array.from({ length: 10 }, (_, index) => made.submit([intent(`${index}`)])))
  assert.ok(
    sizes.every((size) => size <= 4),
    sizes.join(),
  )
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    10,
  )
})

test('a row that Postgres refuses fails its own caller only', async () => {
  const { made } = coalescer(async (intents) => {
    if (intents.some(({ type }) => type === 'bad')) throw Object.assign(new Error('refused'), { code: '22P02' })
    return intents.map(answer)
  })
  const results = await Promise.allSettled(['a', 'bad', 'c'].map((type) => made.submit([intent(type)])))
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
})

test('a batch whose commit is in doubt is not tried again', async () => {
  let calls = 0
  const { made } = coalescer(async () => {
    calls++
    throw Object.assign(new Error('Connection terminated'), { code: 'ECONNRESET' })
  })
  const results = await Promise.allSettled(['a', 'b'].map((type) => made.submit([intent(type)])))
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(calls, 1)
})

test('closing flushes what waits and refuses what comes later', async () => {
  const { made } = coalescer(async (intents) => intents.map(answer))
  const waiting = made.submit([intent('a')])
  await made.close()
  assert.equal((await waiting)[0]?.intentId, 'a')
  await assert.rejects(made.submit([intent('b')]), ShuttingDownError)
})

test('while commits are taken tenants take turns, and what is CRITICAL goes first', async () => {
  const batches: string[][] = []
  const first = Promise.withResolvers<void>()
  const made = createCoalescer({
    async accept(intents) {
      batches.push(intents.map(({ type }) => type))
      if (batches.length === 1) await first.promise
      return intents.map(answer)
    },
    onCommitted: () => {},
    flushMs: 0,
    flushRows: 2,
    maxInFlight: 1,
    worthOwn: 1,
  })
  const of = (tenantId: string, type: string, priority = 1) => made.submit([{ ...intent(type), tenantId, priority }])
  const asked = [of('loud', 'l1'), of('loud', 'l2')]
  await new Promise((resolve) => setImmediate(resolve))
  for (const type of ['l3', 'l4', 'l5', 'l6']) asked.push(of('loud', type))
  asked.push(of('quiet', 'q1'), of('loud', 'alarm', 3))
  assert.ok(made.waitingMs() >= 0)
  first.resolve()
  await Promise.all(asked)
  assert.deepEqual(batches, [
    ['l1', 'l2'],
    ['alarm', 'l3'],
    ['q1', 'l4'],
    ['l5', 'l6'],
  ])
  assert.equal(made.waitingMs(), 0)
})

test('behind a backlog that is too old only what is CRITICAL is accepted', async () => {
  const made = createCoalescer({
    accept: async (intents) => intents.map(answer),
    onCommitted: () => {},
    flushMs: 0,
    flushRows: 10,
    maxInFlight: 1,
    worthOwn: 1,
    backlog: { ageMs: () => 60_001, mostMs: 60_000 },
  })
  await assert.rejects(made.submit([intent('a')]), { code: 'OVERLOADED', retryAfterSeconds: 10 })
  assert.equal((await made.submit([{ ...intent('b'), priority: 3 }])).length, 1)
})
