import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import type { Channel } from '../../../src/domain/channel.ts'
import type { Limit } from '../../../src/domain/limit.ts'
import type { Limitable } from '../../../src/domain/limits/apply-limits.ts'
import { limitDecisions } from '../../../src/pipeline/permit/limit-decisions.ts'
import { releaseLimits } from '../../../src/pipeline/permit/reserve-limits.ts'
import { findCounts } from '../../../src/store/limits.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const now = new Date('2026-03-10T12:00:30Z')

const limitOf = (fields: Partial<Limit> = {}): Limit => ({
  id: world.ids.id(),
  name: 'a limit',
  scope: 'user',
  channel: 'sms',
  max: 1,
  window: { seconds: 3_600 },
  onExcess: 'suppress',
  allowCritical: false,
  ...fields,
})
const item = (recipientId: string, ...channels: Channel[]): Limitable => ({
  recipientId,
  priority: 1,
  decision: {
    deliveries: channels.map((channel, rank) => {
      return { channel, state: rank === 0 ? 'queued' : 'held', address: 'a', fallbackRank: rank }
    }),
    steps: [],
  },
})
const states = ({ decision }: Limitable) => decision.deliveries.map(({ channel, state }) => `${channel} ${state}`)
const usedOf = async (limit: Limit, subject: string) =>
  (await findCounts(world.admin, world.tenant, [subject])).get(subject)?.[limit.id]?.counts[0] ?? 0

test('what is refused gives way to its fallback, which asks as well, and the caller hears what was counted', async () => {
  const [sms, push] = [limitOf(), limitOf({ channel: 'push' })]
  const items = [item('ann', 'sms', 'push'), item('ann', 'sms', 'push'), item('ann', 'sms', 'push')]
  const counted = await limitDecisions(world.worker, world.tenant, [sms, push], items, now)
  assert.deepEqual(items.map(states), [
    ['sms queued', 'push held'],
    ['sms suppressed', 'push queued'],
    ['sms suppressed', 'push suppressed'],
  ])
  assert.deepEqual(
    items.map(({ decision }) => decision.outcome),
    [undefined, undefined, 'suppressed'],
  )
  assert.deepEqual(
    counted.map(({ channel }) => channel),
    ['sms', 'push'],
  )
  assert.deepEqual([await usedOf(sms, 'ann'), await usedOf(push, 'ann')], [1, 1])
  await releaseLimits(world.worker, world.tenant, [sms, push], counted, now)
  assert.deepEqual([await usedOf(sms, 'ann'), await usedOf(push, 'ann')], [0, 0])
})

test('decisions that no limit concerns need no database', async () => {
  const nowhere = { connect: () => Promise.reject(new Error('no connection')) } as unknown as pg.Pool
  const items = [item('ann', 'email')]
  assert.deepEqual(await limitDecisions(nowhere, world.tenant, [limitOf()], items, now), [])
  assert.deepEqual(await limitDecisions(nowhere, world.tenant, [], items, now), [])
  assert.deepEqual(items[0]!.decision.steps, [])
})

test('where the second round fails the first one is given back', async () => {
  const [sms, push] = [limitOf(), limitOf({ channel: 'push' })]
  let connections = 0
  const failing = {
    connect: () => (++connections === 2 ? Promise.reject(new Error('gone')) : world.worker.connect()),
  } as unknown as pg.Pool
  const items = [item('bob', 'sms', 'push'), item('bob', 'sms', 'push')]
  await assert.rejects(limitDecisions(failing, world.tenant, [sms, push], items, now), /gone/)
  assert.equal(await usedOf(sms, 'bob'), 0)
})
