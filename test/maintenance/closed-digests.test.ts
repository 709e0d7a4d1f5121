import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expireClosedDigests } from '../../src/maintenance/closed-digests.ts'
import { closeDueDigests } from '../../src/workers/close-digests.ts'
import { digestsOf, folding, minuteMs, planFolded } from '../support/folding.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld } from '../support/world.ts'

const clock = testClock('2026-11-20T10:00:00Z')
const world = await createWorld(clock)

test('closed digests are dropped when their days are over, and what waits is not', async () => {
  await planFolded(world, [folding(world, { recipient: 'closed' })])
  clock.advance(11 * minuteMs)
  await planFolded(world, [folding(world, { recipient: 'waits' })])
  const deps = { pool: world.worker, ids: world.ids, keyTtlMs: 1, recheck: async () => new Map(), wake: () => {} }
  await closeDueDigests({ ...deps, logger: { error: assert.fail } as never }, clock.now())
  const inDays = (days: number) => new Date(clock.now().getTime() + days * 86_400_000)
  assert.equal(await expireClosedDigests(world.worker, 30, inDays(29)), 0)
  assert.equal(await expireClosedDigests(world.worker, 30, inDays(31)), 1)
  assert.deepEqual(await digestsOf(world, 'closed'), [])
  assert.equal((await digestsOf(world, 'waits')).length, 1)
})
