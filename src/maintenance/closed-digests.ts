import type { Queryable } from '../platform/db.ts'
import { expireDigests } from '../store/digests.ts'

const atOnce = 5_000
/** What is left waits for the next hour. */
const mostRounds = 500

/** The duty of dropping closed digests when their notifications are dropped. Runs as the worker; gives how many went. */
export async function expireClosedDigests(on: Queryable, days: number, now: Date): Promise<number> {
  const before = new Date(now.getTime() - days * 86_400_000)
  let dropped = 0
  for (let round = 0; round < mostRounds; round++) {
    const count = await expireDigests(on, before, atOnce)
    dropped += count
    if (count < atOnce) break
  }
  return dropped
}
