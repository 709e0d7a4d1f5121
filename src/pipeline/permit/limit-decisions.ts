import type pg from 'pg'
import type { Limit } from '../../domain/limit.ts'
import type { Ask } from '../../domain/limits/allot.ts'
import { applyLimits, asksOf, type Limitable } from '../../domain/limits/apply-limits.ts'
import { releaseLimits, reserveLimits } from './reserve-limits.ts'

/**
 * The last gate, for a chunk of decisions, which are changed: what the limits have no room for is snoozed or suppressed.
 * Gives what it has counted: to be given back with `releaseLimits` where it is not planned after all.
 */
export async function limitDecisions(
  pool: pg.Pool,
  tenantId: string,
  limits: readonly Limit[],
  items: readonly Limitable[],
  now: Date,
): Promise<Ask[]> {
  const counted: Ask[] = []
  try {
    // Again only for fallbacks whose turn has come, at most once a rank.
    for (let isMoreToAsk = true; isMoreToAsk; ) {
      const asks = asksOf(items, limits)
      if (asks.length === 0) break
      const refused = await reserveLimits(pool, tenantId, limits, asks, now)
      for (const ask of asks) if (!refused.has(ask.deliveryKey)) counted.push(ask)
      isMoreToAsk = applyLimits(items, limits, asks, refused)
    }
  } catch (error) {
    await releaseLimits(pool, tenantId, limits, counted, now)
    throw error
  }
  return counted
}
