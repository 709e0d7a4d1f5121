import { type Channel, channels } from '../../domain/channel.ts'
import { deliveryId, notificationIdOf } from '../../domain/ids.ts'
import { laneOf } from '../../domain/priority.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { enqueue } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import { appendStatusEvents } from '../../store/status-events.ts'

const lockSql = statement('settle/lock_notifications')
const releaseSql = statement('settle/release_fallbacks')

interface Released extends Record<string, unknown> {
  id: string
  channel: Channel
  priority: number
}

/** A delivery that ended without success, with what its events say of it. */
export interface Ended {
  deliveryId: string
  about?: {
    recipient_id: string
    type: string
    has_fallback: boolean
    idempotency_key: string | null
    correlation_id: string | null
    traceparent: string | null
  }
}

/**
 * Lets the next fallback go where the last channel under way has failed; call it in the settling transaction. The gates are asked
 * of it first, by whoever decides again what has waited; but not of CRITICAL.
 */
export async function releaseFallbacks(
  trx: Queryable,
  tenantId: string,
  failed: readonly Ended[],
  ids: { batchId(): string },
  now: Date,
): Promise<void> {
  const stories = new Map(
    failed.flatMap(({ deliveryId, about }) =>
      about?.has_fallback ? [[notificationIdOf(deliveryId), about] as const] : [],
    ),
  )
  const notifications = [...stories.keys()].sort()
  if (notifications.length === 0) return
  await run(trx, lockSql, [tenantId, notifications, notifications[0], notifications.at(-1)])
  const siblings = notifications.flatMap((id) => channels.map((channel) => deliveryId(id, channel)))
  const released = await run<Released>(trx, releaseSql, [tenantId, siblings, siblings[0], siblings.at(-1), now])
  const events = released.map(({ id, channel }) => {
    const { recipient_id, type, idempotency_key, correlation_id, traceparent } = stories.get(notificationIdOf(id))!
    const data = { recipient_id, type, channel, fallback: true, idempotency_key, correlation_id, traceparent }
    return { subjectId: id, type: `notification.${channel}.requested`, data }
  })
  await appendStatusEvents(trx, tenantId, events, ids, now)
  await enqueue(
    trx,
    released.map(({ id, channel, priority }) => ({
      queue: deliveriesQueue(channel, laneOf(priority)),
      data: { tenant_id: tenantId, ids: [id], priority },
      priority,
    })),
  )
}
