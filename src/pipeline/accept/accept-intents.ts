import type { AcceptAnswer, NewIntent } from '../../domain/intent.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'

const acceptSql = statement('accept/accept_intents')

interface Row extends Record<string, unknown> {
  ord: number
  status: AcceptAnswer['status']
  intent_id: string
}

/**
 * Accepts a batch in one statement and one commit, whatever its size and tenants; one answer per intent, in order.
 * Nothing is answered before it is durable. Throws what Postgres says; then nothing of the batch was accepted.
 */
export async function acceptIntents(
  on: Queryable,
  intents: readonly NewIntent[],
  ids: { intentId(): string; id(): string },
  now: Date,
  keyTtlMs: number,
): Promise<AcceptAnswer[]> {
  const rows = intents.map((intent, ord) => ({
    ord,
    tenant_id: intent.tenantId,
    id: ids.intentId(),
    kind: intent.kind,
    type: intent.type,
    priority: intent.priority,
    category: intent.category,
    idempotency_key: intent.idempotencyKey,
    event_id: intent.eventId,
    correlation_id: intent.correlationId,
    traceparent: intent.traceparent,
    source: intent.source,
    scheduled_at: intent.scheduledAt,
    expires_at: intent.expiresAt,
    recipients: intent.payload.recipients?.length ?? 0,
    payload: intent.payload,
    told_id: ids.id(),
    told: {
      kind: intent.kind,
      type: intent.type,
      source: intent.source,
      event_id: intent.eventId,
      idempotency_key: intent.idempotencyKey,
      correlation_id: intent.correlationId,
      traceparent: intent.traceparent,
    },
  }))
  const tenants = [...new Set(intents.map((intent) => intent.tenantId))]
  const answers = await run<Row>(on, acceptSql, [
    tenants.join(','),
    JSON.stringify(rows),
    now,
    `${keyTtlMs} milliseconds`,
  ])
  const byOrd = new Map(answers.map(({ ord, status, intent_id }) => [ord, { status, intentId: intent_id }]))
  return intents.map((_, ord) => {
    const answer = byOrd.get(ord)
    if (!answer) throw new Error('accept_intents left an intent unanswered')
    return answer
  })
}
