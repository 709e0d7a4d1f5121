import type { Queryable } from '../../platform/db.ts'
import { run, statement } from '../../platform/db.ts'

const unmatchedSql = statement('match/mark_unmatched')

/** What matching needs of an intent. */
export interface Matchable {
  tenantId: string
  id: string
  kind: 'direct' | 'event'
  correlationId?: string
  traceparent?: string
  type: string
}

/**
 * Parts the intents that go on from the business events that no rule wants. A direct request is its own rule. Rules
 * are not there yet, so every event is unmatched.
 */
export function matchIntents<T extends Matchable>(intents: readonly T[]): { matched: T[]; unmatched: T[] } {
  return {
    matched: intents.filter((intent) => intent.kind === 'direct'),
    unmatched: intents.filter((intent) => intent.kind === 'event'),
  }
}

/** Marks events that no rule wanted, once, with their status events; call it in the planning transaction. */
export async function markUnmatched(
  trx: Queryable,
  unmatched: readonly Matchable[],
  ids: { id(): string },
  now: Date,
): Promise<void> {
  if (unmatched.length === 0) return
  const rows = unmatched.map((intent) => ({
    id: intent.id,
    event_id: ids.id(),
    data: { type: intent.type, correlation_id: intent.correlationId, traceparent: intent.traceparent },
  }))
  const all = rows.map((row) => row.id).sort()
  await run(trx, unmatchedSql, [unmatched[0]!.tenantId, JSON.stringify(rows), all[0], all.at(-1), now, all])
}
