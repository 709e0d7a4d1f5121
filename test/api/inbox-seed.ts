/** In-app notifications as planning and settling leave them, without running either. */
import { notificationId } from '../../src/domain/ids.ts'
import { recordInbox } from '../../src/pipeline/settle/record-inbox.ts'
import { appendStatusEvents } from '../../src/store/status-events.ts'
import type { ApiWorld } from './api-world.ts'

export interface Seeded {
  id: string
  commit(): Promise<void>
}

/** Plans `count` in-app notifications for a recipient; their items are not in the inbox yet. */
export async function planInApp(world: ApiWorld, recipientId: string, count = 1): Promise<string[]> {
  const intents = Array.from({ length: count }, (_one, index) =>
    world.intent({ recipients: [{ type: 'user', id: recipientId }], channels: ['in_app'], subject: `item ${index}` }),
  )
  const ids = await world.plan(intents)
  return ids.map((id) => notificationId(id, 1))
}

/** What settling does for one in-app delivery: state, inbox item, counters and event, in one transaction. */
export async function deliverInApp(world: ApiWorld, recipientId: string, ids: readonly string[]): Promise<void> {
  const client = await world.worker.connect()
  try {
    await client.query('begin')
    await settleInApp(world, client, recipientId, ids)
    await client.query('commit')
  } finally {
    client.release()
  }
}

export async function settleInApp(
  world: ApiWorld,
  client: Parameters<typeof recordInbox>[0],
  recipientId: string,
  ids: readonly string[],
): Promise<void> {
  const now = world.clock.now()
  const deliveries = ids.map((id) => `${id.slice(0, 34)}0b`)
  await client.query({
    text: `update carillon.deliveries set state = 'delivered', sent_at = $3, delivered_at = $3, attempt = 1
      where tenant_id = $1 and id = any ($2)`,
    values: [world.tenant, deliveries, now],
  })
  const items = ids.map((_id, index) => ({
    item: {
      claim: { channel: 'in_app', deliveryId: deliveries[index] },
      about: { recipient_id: recipientId, type: 'test.happened' },
      message: { subject: 'Hello', body: 'Hello', data: {} },
    },
  }))
  await recordInbox(client, world.tenant, items as unknown as Parameters<typeof recordInbox>[2], now)
  const data = { recipient_id: recipientId, channel: 'in_app' }
  const events = deliveries.map((subjectId) => ({ subjectId, type: 'notification.in_app.delivered', data }))
  await appendStatusEvents(client, world.tenant, events, world.ids, now)
}
