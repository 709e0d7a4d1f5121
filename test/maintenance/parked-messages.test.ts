import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expireParkedMessages } from '../../src/maintenance/parked-messages.ts'
import { createWorld } from '../support/world.ts'

test('parked messages go when their retention has passed, however many there are', async () => {
  const world = await createWorld()
  const now = new Date('2026-11-20T12:00:00Z')
  await world.admin.query(
    `insert into carillon.parked_messages (id, cluster_id, group_id, topic, partition, "offset", resets, headers, reason, detail, parked_at)
     select gen_random_uuid(), 'c', 'g', 't', 0, n, 0, '[]', 'invalid', 'd', $1::timestamptz - n * interval '1 hour'
     from generate_series(1, 2500) n`,
    [now],
  )
  assert.equal(await expireParkedMessages(world.worker, 30, now), 2500 - 720)
  assert.equal(await expireParkedMessages(world.worker, 30, now), 0)
})
