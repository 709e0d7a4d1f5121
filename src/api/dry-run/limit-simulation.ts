import type { Limit } from '../../domain/limit.ts'
import { type Subject, tidyCounts } from '../../domain/limits/allot.ts'
import type { Limitable } from '../../domain/limits/apply-limits.ts'
import type { Counts } from '../../domain/limits/counts-text.ts'
import { simulateLimits } from '../../domain/limits/simulate-limits.ts'
import type { LimitRow } from '../../store/limits.ts'
import { limitOf } from '../../store/limits.ts'
import type { DraftLimit } from './draft.ts'

export interface LimitSimulation {
  /** Changes the decisions: what there is no room for is snoozed or suppressed. In the order of time. */
  apply(items: readonly Limitable[], at: Date): void
}

const tidiedAt = 10_000

/** Limits that count in memory. What says nothing any more is forgotten, so that it holds whom the longest window holds. */
export function createLimitSimulation(limits: readonly Limit[]): LimitSimulation {
  const counts = new Map<Subject, Counts>()
  let tidyAbove = tidiedAt
  return {
    apply(items, at) {
      simulateLimits(items, limits, counts, at)
      if (counts.size < tidyAbove) return
      for (const [subject, counted] of counts) {
        tidyCounts(counted, at)
        if (Object.keys(counted).length === 0) counts.delete(subject)
      }
      tidyAbove = Math.max(tidiedAt, counts.size * 2)
    },
  }
}

/**
 * The limits that a draft is tried under: the tenant's, with the draft's in the place of those of the same name, and the
 * operator's. Those of the whole installation count what others send, too, and are left out.
 */
export function limitsOf(rows: readonly LimitRow[], drafts: readonly DraftLimit[]): Limit[] {
  const drafted = new Map(drafts.map((draft) => [draft.name, draft]))
  const kept = rows.filter((row) => row.is_operators || !drafted.has(row.name))
  const added = drafts.flatMap((draft) => ('remove' in draft ? [] : [draft]))
  return [...kept.map(limitOf), ...added].filter(({ scope }) => scope !== 'system')
}
