import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeChunks, type WorkChunk, workIsolating } from '../../src/workers/chunks.ts'

const job = (tenant: string, ids: string[], retryCount = 0) => ({
  id: ids.join(),
  name: 'q',
  data: { tenant_id: tenant, ids },
  retryCount,
})

test('small jobs of a tenant become one chunk, up to its size', () => {
  const chunks = mergeChunks([job('a', ['1']), job('b', ['2']), job('a', ['3', '4']), job('a', ['5', '6'])], 3)
  assert.deepEqual(
    chunks.map(({ chunk }) => [chunk.tenant_id, ...chunk.ids].join(' ')),
    ['a 1 3 4', 'b 2', 'a 5 6'],
  )
})

test('a job that comes again stays alone and says so', () => {
  const chunks = mergeChunks([job('a', ['1']), job('a', ['2'], 1), job('a', ['3'])], 10)
  assert.deepEqual(
    chunks.map(({ chunk, jobs }) => [chunk.ids.join(), chunk.tries, jobs.length]),
    [
      ['1,3', 0, 2],
      ['2', 1, 1],
    ],
  )
})

const never = async () => assert.fail('it is too early to give up')

test('one bad id of a chunk that comes again does not hold back the others', async () => {
  const worked: string[] = []
  const work = async (chunk: WorkChunk) => {
    if (chunk.ids.includes('bad')) throw new Error('bad')
    worked.push(...chunk.ids)
  }
  const chunk = { tenant_id: 'a', ids: ['1', '2', 'bad', '4', '5'], tries: 1 }
  await assert.rejects(workIsolating(chunk, work, never), /bad/)
  assert.deepEqual(worked.sort(), ['1', '2', '4', '5'])
})

test('a chunk that fails for the first time is left whole', async () => {
  let calls = 0
  const work = async () => {
    calls++
    throw new Error('down')
  }
  await assert.rejects(workIsolating({ tenant_id: 'a', ids: ['1', '2'], tries: 0 }, work, never))
  assert.equal(calls, 1)
})

test('an id that fails time and again is given up by name, unless the database is to blame', async () => {
  const givenUp: string[][] = []
  const giveUp = async ({ ids }: WorkChunk) => void givenUp.push(ids)
  const chunk = { tenant_id: 'a', ids: ['1', 'bad'], tries: 6 }
  const failing =
    (error: Error) =>
    async ({ ids }: WorkChunk) => {
      if (ids.includes('bad')) throw error
    }
  await workIsolating(chunk, failing(new RangeError('too deep')), giveUp)
  assert.deepEqual(givenUp, [['bad']])
  const away = Object.assign(new Error('gone'), { code: 'ECONNREFUSED' })
  await assert.rejects(workIsolating(chunk, failing(away), giveUp), /gone/)
  assert.equal(givenUp.length, 1)
})
