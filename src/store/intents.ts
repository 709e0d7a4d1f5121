import type { IntentPayload } from '../domain/intent.ts'
import type { IntentOutcome } from '../domain/notification-status.ts'
import { type Queryable, run, statement } from '../platform/db.ts'
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
