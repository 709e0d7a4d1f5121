import { type Channel, channels } from '../../domain/channel.ts'
import { deliveryId, notificationIdOf } from '../../domain/ids.ts'
import { laneOf } from '../../domain/priority.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { enqueue } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import type { Finished } from './settlement.ts'

const lockSql = statement('settle/lock_notifications')
const releaseSql = statement('settle/release_fallbacks')

interface Released extends Record<string, unknown> {
  id: string
  channel: Channel
  priority: number
}

/** Lets the next fallback go where the last channel under way has failed; call it in the settling transaction. */
export async function releaseFallbacks(
  trx: Queryable,
  tenantId: string,
  failed: readonly Finished[],
  ids: { id(): string },
  now: Date,
): Promise<void> {
  const notifications = [
    ...new Set(
      failed.flatMap(({ item }) => (item.about?.has_fallback ? [notificationIdOf(item.claim.deliveryId)] : [])),
    ),
  ].sort()
  if (notifications.length === 0) return
  await run(trx, lockSql, [tenantId, notifications, notifications[0], notifications.at(-1)])
  const siblings = notifications.flatMap((id) => channels.map((channel) => deliveryId(id, channel)))
  const events = siblings.map((id) => ({ delivery_id: id, event_id: ids.id() }))
  const released = await run<Released>(trx, releaseSql, [
    tenantId,
    siblings,
    siblings[0],
    siblings.at(-1),
    now,
    JSON.stringify(events),
  ])
  await enqueue(
    trx,
    released.map(({ id, channel, priority }) => ({
      queue: deliveriesQueue(channel, laneOf(priority)),
      data: { tenant_id: tenantId, ids: [id] },
      priority,
    })),
  )
}
