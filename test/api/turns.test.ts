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

test('a small request does not wait behind large ones, and a flood of small ones leaves room for large ones', async () => {
  const turns = createTurns()
  const gone: string[] = []
  const ask = (name: string, bytes: number) => void turns.take(bytes).then(() => gone.push(name))
  for (let i = 0; i < 4; i++) ask(`large ${i}`, 200_000)
  ask('alert', 800)
  await Promise.resolve()
  assert.deepEqual(gone, ['large 0', 'alert'])

  gone.length = 0
  for (let i = 0; i < 100; i++) ask('small', 4_000)
  await Promise.resolve()
  assert.ok(gone.length < 100, 'small ones take turns, too')
  await turnOfTheLoop()
  assert.ok(gone.includes('large 1'))
})
