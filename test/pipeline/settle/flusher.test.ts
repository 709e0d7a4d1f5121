import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFlusher } from '../../../src/pipeline/settle/flusher.ts'

const refused = () => Object.assign(new Error('refused'), { code: '22P02' })

test('one result that Postgres refuses keeps no other unwritten', async () => {
  const written: number[] = []
  const flusher = createFlusher<number>({
    flushRows: 8,
    flushMs: 1,
    maxInFlight: 1,
    worthOwn: 1,
    retryDelaysMs: [1, 1],
    async settle(_tenant, results) {
      if (results.includes(5)) throw refused()
      written.push(...results)
    },
  })
  const added = Array.from({ length: 8 }, (_, result) => flusher.add('a', result))
  await assert.rejects(Promise.all(added), /refused/)
  assert.deepEqual(written.sort(), [0, 1, 2, 3, 4, 6, 7])
})

test('a flush that fails for want of a database is tried again', async () => {
  let calls = 0
  const flusher = createFlusher<number>({
    flushRows: 8,
    flushMs: 1,
    maxInFlight: 1,
    worthOwn: 1,
    retryDelaysMs: [1, 1, 1],
    async settle() {
      if (++calls < 3) throw Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
    },
  })
  await flusher.add('a', 1)
  assert.equal(calls, 3)
})
