import type { IntentPayload } from '../domain/intent.ts'
import type { IntentOutcome } from '../domain/notification-status.ts'
import { type Queryable, run, type Statement, statement } from '../platform/db.ts'
import { idBounds } from './id-bounds.ts'

export interface IntentRow {
  id: string
  kind: 'direct' | 'event'
  type: string
  priority: number
  category: string | null
  event_id: string | null
  idempotency_key: string | null
  correlation_id: string | null
  traceparent: string | null
  scheduled_at: Date | null
  expires_at: Date | null
  outcome: IntentOutcome | null
  payload: IntentPayload
}

const byId = statement('read/intents_by_id')

/** The intents among these ids, in no order; unknown ids are left out. */
export async function findIntents(on: Queryable, tenantId: string, ids: readonly string[]): Promise<IntentRow[]> {
  if (ids.length === 0) return []
  return run<IntentRow & Record<string, unknown>>(on, byId, [tenantId, ids, ...idBounds(ids)])
}

const markSql: Statement = {
  name: 'intents_mark_cancelled',
  text: `select carillon.mark_cancelled($1::uuid, $2::uuid, $3::uuid, $4::timestamptz) as unplanned`,
}

/**
 * Marks an intent as cancelled, in a transaction that is committed before `cancelPlanned` is called: from then on nothing of it is
 * planned. Gives how many of the notifications that we know of will not be; undefined: there is no such intent.
 */
export async function markCancelled(
  trx: Queryable,
  tenantId: string,
  intentId: string,
  ids: { batchId(): string },
  now: Date,
): Promise<number | undefined> {
  const [row] = await run<{ unplanned: number | null }>(trx, markSql, [tenantId, intentId, ids.batchId(), now])
  return row?.unplanned ?? undefined
}

const cancelSql: Statement = {
  name: 'intents_cancel_planned',
  text: `select c.last_id, c.stopped
  from carillon.cancel_planned($1::uuid, $2::uuid, $3::uuid, $4::int, $5::uuid, $6::timestamptz) c`,
}

/** Cancels what has not left of a page of an intent's notifications, behind `after`. Without `last` there are no more. */
export async function cancelPlanned(
  trx: Queryable,
  tenantId: string,
  page: { intentId: string; after: string; limit: number },
  ids: { batchId(): string },
  now: Date,
): Promise<{ last?: string; stopped: number }> {
  const values = [tenantId, page.intentId, page.after, page.limit, ids.batchId(), now]
  const [row] = await run<{ last_id: string | null; stopped: number }>(trx, cancelSql, values)
  return { last: row!.last_id ?? undefined, stopped: row!.stopped }
}
