import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { watchCommits } from './watch-commits.ts'

type Callback = (error: Error | null, result?: { rows: object[] }) => void

const settle = { name: 'settle/settle_attempts', text: '', values: ['t', ['a', 'b']] }
const inOneRow = (values: unknown[], only: string[] | null) => ({
  ...settle,
  values,
  row: { settled: 2, only_ids: only },
})
const told: string[] = []

/** Answers in the order of the questions, by promise or by callback, as a real client does. */
pg.Client.prototype.query = function query(...args: unknown[]): unknown {
  const [statement] = args
  const oneRow = (statement as { row?: object }).row
  const rows = statement === settle ? [{ id: 'a' }, { id: 'b' }] : oneRow ? [oneRow] : []
  const answer = Promise.resolve({ rows })
  const callback = args.at(-1)
  if (typeof callback !== 'function') return answer
  void answer.then((result) => (callback as Callback)(null, result))
  return undefined
} as typeof pg.Client.prototype.query
watchCommits((ids) => told.push(...ids))

function client(): { query(statement: unknown): Promise<unknown> } {
  told.length = 0
  return new pg.Client() as never
}

for (const begin of ['begin', 'begin; set local enable_nestloop = off']) {
  test(`in a transaction (${begin}), what is settled is told with the commit`, async () => {
    const on = client()
    await on.query(begin)
    await on.query(settle)
    assert.deepEqual(told, [])
    await on.query('commit')
    assert.deepEqual(told, ['a', 'b'])
    await on.query(begin)
    await on.query('commit')
    assert.deepEqual(told, ['a', 'b'])
  })
}

test('a transaction that is sent at once, without waiting in between, is seen as well', async () => {
  const on = client()
  await Promise.all([on.query('begin'), on.query(settle), on.query('commit')])
  assert.deepEqual(told, ['a', 'b'])
})

test('what is rolled back is not settled', async () => {
  const on = client()
  await on.query('begin')
  await on.query(settle)
  await on.query('rollback')
  await on.query('commit')
  assert.deepEqual(told, [])
})

test('without a transaction the statement itself is the commit', async () => {
  await client().query(settle)
  assert.deepEqual(told, ['a', 'b'])
})

test('a pool asks with a callback, and gets its answer', async () => {
  const on = client() as unknown as { query(statement: unknown, values: unknown, callback: Callback): void }
  const rows = await new Promise((resolve) => on.query(settle, undefined, (_, result) => resolve(result?.rows)))
  assert.deepEqual(rows, [{ id: 'a' }, { id: 'b' }])
  assert.deepEqual(told, ['a', 'b'])
})

for (const [what, statement, expected] of [
  ['all of an array', inOneRow(['t', ['a', 'b']], null), ['a', 'b']],
  ['all of a list written out', inOneRow(['t', '{a,b}', '{1,1}'], null), ['a', 'b']],
  ['those that were not lost', inOneRow(['t', ['a', 'b']], ['b']), ['b']],
] as const) {
  test(`one row may stand for many: ${what}`, async () => {
    await client().query(statement)
    assert.deepEqual(told, expected)
  })
}
