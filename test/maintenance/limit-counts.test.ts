import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expireLimitCounts } from '../../src/maintenance/limit-counts.ts'
import { createWorld } from '../support/world.ts'

test('counts go when they have left every window, however many there are', async () => {
  const world = await createWorld()
  const now = new Date('2026-11-20T12:00:00Z')
  await world.admin.query(
    `insert into carillon.limit_counters (tenant_id, subject, counts, idle_at)
     select t, 'u-' || n, '-', $3::timestamptz + (n - 7000) * interval '1 second' from unnest(array[$1, $2]::uuid[]) t, generate_series(1, 8000) n`,
    [world.tenant, world.otherTenant, now],
  )
  assert.equal(await expireLimitCounts(world.worker, now), 14_000)
  assert.equal(await expireLimitCounts(world.worker, now), 0)
  const [left] = await world.rows<{ count: number }>('select count(*)::int as count from carillon.limit_counters')
  assert.equal(left!.count, 2_000)
})
