import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSweeper } from '../../src/workers/sweeper.ts'
import { eventually } from '../support/eventually.ts'

test('only what has fallen due is done, once a look, and at once again while there may be more', async (t) => {
  const done: string[] = []
  const logged: unknown[] = []
  const looks = [{ a: false, b: false }, { a: true, b: false }, new Error('away'), { a: true, b: true }]
  const sweeper = startSweeper({
    everyMs: 1,
    logger: { error: (about: unknown) => logged.push(about) },
    async look() {
      const next = looks.shift() ?? { a: false, b: false }
      done.push('look')
      if (next instanceof Error) throw next
      return next
    },
    duties: {
      a: {
        most: 2,
        async run() {
          done.push('a')
          return looks.length === 2 ? 2 : 1
        },
      },
      b: {
        run() {
          done.push('b')
          return Promise.reject(new Error('broken'))
        },
      },
    },
  })
  t.after(() => sweeper.stop())
  await eventually(() => assert.ok(done.includes('b')))
  await sweeper.stop()
  assert.deepEqual(done.slice(0, 7), ['look', 'look', 'a', 'look', 'look', 'a', 'b'])
  assert.equal(logged.length, 2)
})
