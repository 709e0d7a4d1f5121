import type pg from 'pg'
import type { Ask } from '../domain/limits/allot.ts'
import { applyLimits, asksOf } from '../domain/limits/apply-limits.ts'
import { limitableOf } from '../pipeline/permit/limitable.ts'
import type { Candidate, Permitted } from '../pipeline/permit/permit.ts'
import { releaseLimits, reserveLimits } from '../pipeline/permit/reserve-limits.ts'
import type { TenantSettings } from '../store/tenant-settings.ts'

export interface Limited<P> {
  decided: P[]
  /** Takes back what was counted, for what is not sent after all. */
  release(): Promise<void>
}

/** The last gate: what is over a limit waits or is stopped. What the other gates let through is counted from now on. */
export async function keepLimits<P extends Permitted<Candidate>>(
  pool: pg.Pool,
  tenantId: string,
  permitted: P[],
  { limits, categories }: Pick<TenantSettings, 'limits' | 'categories'>,
  now: Date,
): Promise<Limited<P>> {
  const counted: Ask[] = []
  const release = () => releaseLimits(pool, tenantId, limits, counted, now)
  if (limits.length === 0) return { decided: permitted, release: async () => {} }
  const items = permitted.map((one) => limitableOf(one, categories))
  try {
    let isMore = true
    while (isMore) {
      const asks = asksOf(items, limits)
      if (asks.length === 0) break
      const refused = await reserveLimits(pool, tenantId, limits, asks, now)
      counted.push(...asks.filter(({ deliveryKey }) => !refused.has(deliveryKey)))
      isMore = applyLimits(items, limits, asks, refused)
    }
  } catch (error) {
    await release()
    throw error
  }
  return { decided: permitted, release }
}
