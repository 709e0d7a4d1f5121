import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Limit } from '../../../src/domain/limit.ts'
import type { Ask } from '../../../src/domain/limits/allot.ts'
import { releaseLimits, reserveLimits } from '../../../src/pipeline/permit/reserve-limits.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const now = new Date('2026-03-10T12:00:30Z')

const limitOf = (fields: Partial<Limit> = {}): Limit => ({
  id: world.ids.id(),
  name: 'a limit',
  scope: 'user',
  max: 3,
  window: { seconds: 3_600 },
  allowCritical: false,
  ...fields,
})

let asked = 0
const asksOf = (count: number, fields: Partial<Ask> = {}): Ask[] =>
  Array.from({ length: count }, () => ({
    deliveryKey: String(asked++),
    recipientId: 'ann',
    channel: 'email',
    priority: 1,
    ...fields,
  }))

const reserve = (limits: Limit[], asks: Ask[], at = now, tenant = world.tenant) =>
  reserveLimits(world.worker, tenant, limits, asks, at)

test('what a limit has room for is let through, and the rest told when there is room', async () => {
  const limit = limitOf()
  const refused = await reserve([limit], asksOf(5))
  assert.equal(refused.size, 2)
  for (const refusal of refused.values()) {
    assert.deepEqual(refusal, {
      limit,
      onExcess: 'snooze',
      until: new Date('2026-03-10T13:01:00Z'),
      used: 3,
      max: 3,
    })
  }
  assert.equal((await reserve([limit], asksOf(1), new Date('2026-03-10T13:00:59Z'))).size, 1)
  assert.equal((await reserve([limit], asksOf(4), new Date('2026-03-10T13:01:00Z'))).size, 1)
})

test('limits of users, tenants and the installation are counted where they belong', async () => {
  const limits = [limitOf({ max: 2 }), limitOf({ scope: 'tenant', max: 5 }), limitOf({ scope: 'system', max: 6 })]
  assert.equal((await reserve(limits, asksOf(3))).size, 1)
  assert.equal((await reserve(limits, asksOf(3, { recipientId: 'bob' }))).size, 1)
  assert.equal((await reserve(limits, asksOf(3, { recipientId: undefined }))).size, 2)
  assert.equal((await reserve(limits, asksOf(3), now, world.otherTenant)).size, 2)
})

test('what was given back can be had again', async () => {
  const limit = limitOf({ scope: 'tenant' })
  const asks = asksOf(3)
  assert.equal((await reserve([limit], asks)).size, 0)
  await releaseLimits(world.worker, world.tenant, [limit], asks.slice(1), now)
  assert.equal((await reserve([limit], asksOf(3))).size, 1)
})
