import type pg from 'pg'
import { limitDecisions } from '../pipeline/permit/limit-decisions.ts'
import { limitableOf } from '../pipeline/permit/limitable.ts'
import type { Candidate, Permitted } from '../pipeline/permit/permit.ts'
import { releaseLimits } from '../pipeline/permit/reserve-limits.ts'
import type { TenantSettings } from '../store/tenant-settings.ts'

export interface Limited<P> {
  decided: P[]
  /** Takes back what was counted, for what is not sent after all. What may have been written stays counted. */
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
  if (limits.length === 0) return { decided: permitted, release: async () => {} }
  const items = permitted.map((one) => limitableOf(one, categories))
  const counted = await limitDecisions(pool, tenantId, limits, items, now)
  return { decided: permitted, release: () => releaseLimits(pool, tenantId, limits, counted, now) }
}
