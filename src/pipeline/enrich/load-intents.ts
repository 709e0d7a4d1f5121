import type { IntentPayload } from '../../domain/intent.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { Chunk } from '../../queue/queues.ts'

const loadSql = statement('enrich/load_intents')

/** An intent as the later stages see it. */
export interface Intent {
  tenantId: string
  id: string
  kind: 'direct' | 'event'
  type: string
  priority: number
  category?: string
  eventId?: string
  idempotencyKey?: string
  correlationId?: string
  traceparent?: string
  scheduledAt?: Date
  expiresAt?: Date
  acceptedAt: Date
  payload: IntentPayload
}

interface Row extends Record<string, unknown> {
  id: string
  kind: Intent['kind']
  type: string
  priority: number
  category: string | null
  event_id: string | null
  idempotency_key: string | null
  correlation_id: string | null
  traceparent: string | null
  scheduled_at: Date | null
  expires_at: Date | null
  accepted_at: Date
  payload: IntentPayload
}

/** Loads the intents of a chunk; those that are gone (retention) or cancelled are left out. */
export async function loadIntents(on: Queryable, chunk: Chunk): Promise<Intent[]> {
  const ids = [...chunk.ids].sort()
  const rows = await run<Row>(on, loadSql, [chunk.tenant_id, ids, ids[0], ids.at(-1)])
  return rows.map((row) => ({
    tenantId: chunk.tenant_id,
    id: row.id,
    kind: row.kind,
    type: row.type,
    priority: row.priority,
    category: row.category ?? undefined,
    eventId: row.event_id ?? undefined,
    idempotencyKey: row.idempotency_key ?? undefined,
    correlationId: row.correlation_id ?? undefined,
    traceparent: row.traceparent ?? undefined,
    scheduledAt: row.scheduled_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    acceptedAt: row.accepted_at,
    payload: row.payload,
  }))
}
