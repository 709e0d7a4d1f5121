import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseBridgeTopic } from '../../../src/domain/bridge-topics.ts'
import { replayParked } from '../../../src/pipeline/accept/replay-parked.ts'
import { createValueDecoder } from '../../../src/platform/decode-value.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const request = JSON.stringify({
  type: 'commerce.order.shipped',
  recipient: { email: 'ann@example.com' },
  subject: 'On its way',
  body: 'Your order has left us.',
})
const attributes = { ce_specversion: '1.0', ce_source: '/orders', ce_type: 'x', ce_tenantid: world.tenant }

async function park(offset: number, headers: Record<string, string>): Promise<void> {
  const stored = Object.entries(headers).map(([name, text]) => ({ name, value: Buffer.from(text).toString('base64') }))
  await world.admin.query(
    `insert into carillon.parked_messages
       (id, cluster_id, group_id, topic, partition, "offset", resets, message_at, headers, value, reason, detail, parked_at)
     values ($1, 'c', 'g', 't', 0, $2, 0, now(), $3, $4, 'refused', '', now())`,
    [world.ids.id(), offset, JSON.stringify(stored), Buffer.from(request)],
  )
}

test('a parked message whose key Postgres cannot store does not stop the replay of the others', async () => {
  await park(1, { ...attributes, ce_id: 'a' })
  await park(2, { ...attributes, ce_id: 'b', ce_idempotencykey: 'a\u0000b' })
  await park(3, { ...attributes, ce_id: 'c\u0000' })
  const replayed = await replayParked(
    {},
    {
      pool: world.worker,
      ids: world.ids,
      keyTtlMs: 86_400_000,
      chunkSize: 500,
      rules: [parseBridgeTopic('t=request')!],
      judge: { decoder: createValueDecoder(undefined), maxBytes: 1_000_000, maxHeaders: 500 },
      now: world.clock.now,
    },
  )
  assert.deepEqual(replayed, { accepted: 1, duplicate: 0, stillParked: 2 })
})
