import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTurns } from '../../src/api/http/turns.ts'

const turnOfTheLoop = () => new Promise((resolve) => setImmediate(resolve))

test('small requests go at once, large ones one a turn of the loop, in order', async () => {
  const turns = createTurns()
  const gone: number[] = []
  const ask = (name: number, bytes: number) => void turns.take(bytes).then(() => gone.push(name))
  for (let name = 0; name < 5; name++) ask(name, 1_000)
  await Promise.resolve()
  assert.deepEqual(gone, [0, 1, 2, 3, 4])
  for (let name = 5; name < 9; name++) ask(name, 200_000)
  await Promise.resolve()
  assert.deepEqual(gone.slice(5), [5])
  assert.ok(turns.waitingMs() >= 0)
  for (const left of [[6], [6, 7], [6, 7, 8]]) {
    await turnOfTheLoop()
    assert.deepEqual(gone.slice(6), left)
  }
  assert.equal(turns.waitingMs(), 0)
})
