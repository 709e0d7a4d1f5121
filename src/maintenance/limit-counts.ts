import type { Queryable } from '../platform/db.ts'
import { expireCounts } from '../store/limits.ts'

const atOnce = 5_000

/** The duty of dropping counts that have left every window, some at a time. Runs as the worker; gives how many rows went. */
export async function expireLimitCounts(on: Queryable, now: Date): Promise<number> {
  let dropped = 0
  let after = { tenantId: '00000000-0000-0000-0000-000000000000', subject: '' }
  for (;;) {
    const page = await expireCounts(on, after, now, atOnce)
    if (!page) return dropped
    dropped += page.dropped
    after = page.after
  }
}
