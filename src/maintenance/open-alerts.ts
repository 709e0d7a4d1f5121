import type { Queryable } from '../platform/db.ts'
import { forgetClosedAlerts } from '../store/inhibitions.ts'

/** Longer than any event may wait to be processed after its like. */
const rememberedMs = 86_400_000

/** The duty of forgetting alerts that are over. Runs as the worker; gives how many went. */
export function expireClosedAlerts(on: Queryable, now: Date): Promise<number> {
  return forgetClosedAlerts(on, new Date(now.getTime() - rememberedMs))
}
