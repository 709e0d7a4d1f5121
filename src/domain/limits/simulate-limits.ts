import type { Limit } from '../limit.ts'
import { allot, type Subject } from './allot.ts'
import { applyLimits, asksOf, type Limitable } from './apply-limits.ts'
import type { Counts } from './counts-text.ts'

/**
 * The gate without a database, for dry-run: what would become of some decisions, which are changed, after all that `counts`
 * holds by now. Begin with an empty map, and come with the decisions in the order of their time.
 */
export function simulateLimits(
  items: readonly Limitable[],
  limits: readonly Limit[],
  counts: Map<Subject, Counts>,
  now: Date,
): void {
  for (let isMoreToAsk = true; isMoreToAsk; ) {
    const asks = asksOf(items, limits)
    if (asks.length === 0) return
    isMoreToAsk = applyLimits(items, limits, asks, allot(asks, limits, counts, now).refused)
  }
}
