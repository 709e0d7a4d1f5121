import type { Queryable } from '../../platform/db.ts'
import { run, statement } from '../../platform/db.ts'

const markSql = statement('match/mark_intents')

/**
 * Parts the intents that go on from the business events that no rule wants. A direct request is its own rule. Rules
 * are not there yet, so every event is unmatched.
 */
export function matchIntents<T extends { kind: 'direct' | 'event' }>(
  intents: readonly T[],
): { matched: T[]; unmatched: T[] } {
  return {
    matched: intents.filter((intent) => intent.kind === 'direct'),
    unmatched: intents.filter((intent) => intent.kind === 'event'),
  }
}

/** Why an intent leads to no notification. */
export type IntentEnd = 'unmatched' | 'failed'

/** Marks intents that lead to no notification, once, with their status events. */
export async function markIntents(
  on: Queryable,
  tenantId: string,
  end: IntentEnd,
  intents: readonly { id: string; data: Record<string, unknown> }[],
  ids: { batchId(): string },
  now: Date,
): Promise<void> {
  if (intents.length === 0) return
  const events = intents.map(({ id, data }) => ({ subject_id: id, type: `notification.intent.${end}`, data }))
  const all = intents.map(({ id }) => id).sort()
  await run(on, markSql, [tenantId, JSON.stringify(events), all[0], all.at(-1), now, all, end, ids.batchId()])
}
