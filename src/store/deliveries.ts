import type { Channel } from '../domain/channel.ts'
import { lastIdOf } from '../domain/ids.ts'
import type { DeliveryState } from '../domain/notification-status.ts'
import { type Queryable, run, type Statement, statement } from '../platform/db.ts'
import { storyBounds } from './id-bounds.ts'

export interface DeliveryRow {
  id: string
  channel: Channel
  state: DeliveryState
  attempt: number
  fallback_rank: number
  reason: string | null
  next_attempt_at: Date | null
  sent_at: Date | null
  delivered_at: Date | null
  /** Of what waits for a gate. */
  until: Date | null
}

const deliveriesOf = statement('read/deliveries_of')

/** The deliveries of these notifications, in the order of their ids. */
export async function findDeliveries(
  on: Queryable,
  tenantId: string,
  notificationIds: readonly string[],
): Promise<DeliveryRow[]> {
  if (notificationIds.length === 0) return []
  return run<DeliveryRow & Record<string, unknown>>(on, deliveriesOf, [tenantId, ...storyBounds(notificationIds)])
}

const lockSql: Statement = {
  name: 'deliveries_lock',
  text: `select d.id, d.channel, d.state from carillon.deliveries d
  where d.tenant_id = $1::uuid and d.id > $2::uuid and d.id <= $3::uuid
  order by d.id for update`,
}

/** Locks a notification's deliveries, in the order of their ids, and tells where each is now. */
export async function lockDeliveries(
  on: Queryable,
  tenantId: string,
  notificationId: string,
): Promise<Pick<DeliveryRow, 'id' | 'channel' | 'state'>[]> {
  return run<DeliveryRow & Record<string, unknown>>(on, lockSql, [tenantId, notificationId, lastIdOf(notificationId)])
}

const cancelSql: Statement = {
  name: 'deliveries_cancel',
  text: `update carillon.deliveries d set state = 'cancelled', reason = 'cancelled', next_attempt_at = null, updated_at = $4::timestamptz
  where d.tenant_id = $1::uuid and d.id > $2::uuid and d.id <= $3::uuid and d.state in ('queued', 'snoozed', 'held', 'retrying')
  returning d.id, d.channel`,
}

/** Cancels what of a notification's deliveries still waits. Lock them first, in a statement of its own. Of a snooze the row goes when it is due. */
export async function cancelDeliveries(
  on: Queryable,
  tenantId: string,
  notificationId: string,
  now: Date,
): Promise<Pick<DeliveryRow, 'id' | 'channel'>[]> {
  return run<DeliveryRow & Record<string, unknown>>(on, cancelSql, [
    tenantId,
    notificationId,
    lastIdOf(notificationId),
    now,
  ])
}
