import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Queryable } from '../../src/platform/db.ts'
import { findDueWork } from '../../src/store/due-work.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const now = new Date('2026-11-20T12:00:00Z')
await world.admin.query(
  `insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
   select $1, gen_random_uuid(), 'r' || n, 'email', 1, 'quiet_hours', $2::timestamptz + n * interval '1 second', $2 from generate_series(1, 30000) n`,
  [world.tenant, now],
)
await world.admin.query(
  `insert into carillon.digests (tenant_id, id, recipient_id, recipient, key, kind, policy, opened_at, closes_at, size, count)
   select $1, gen_random_uuid(), 'r' || n, '{}', 'k', 'digest', '{}', $2, $2::timestamptz + n * interval '1 second', 9, 1
   from generate_series(1, 30000) n`,
  [world.tenant, now],
)
await world.admin.query('analyze carillon.snoozes, carillon.digests')

test('what has fallen due is told by kind', async () => {
  const nothing = { snoozes: false, retimed: false, digests: false, schedules: false }
  assert.deepEqual(await findDueWork(world.worker, now), nothing)
  const soon = new Date(now.getTime() + 1_000)
  assert.deepEqual(await findDueWork(world.worker, soon), { ...nothing, snoozes: true, digests: true })
  await world.admin.query(`update carillon.digests set retime = true where recipient_id = 'r7'`)
  assert.deepEqual(await findDueWork(world.worker, now), { ...nothing, retimed: true })
})

test('a look reads next to nothing, whatever waits', async () => {
  let blocks = Number.POSITIVE_INFINITY
  const explaining: Queryable = {
    query: async (config) => {
      const { text, values } = config as { text: string; values: unknown[] }
      const { rows } = await world.worker.query(`explain (analyze, buffers, format json) ${text}`, values)
      const plan = rows[0]['QUERY PLAN'][0].Plan
      blocks = plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
      return { rows: [{}] } as never
    },
  }
  await world.admin.query('vacuum carillon.snoozes, carillon.digests')
  await findDueWork(explaining, now)
  assert.ok(blocks < 40, `${blocks} blocks`)
})
