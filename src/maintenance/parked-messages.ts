import type { Queryable } from '../platform/db.ts'
import { expireParked } from '../store/parked-messages.ts'

const atOnce = 1_000
/** A minute's worth; what is left waits for the next hour. */
const mostRounds = 500

/** The duty of dropping parked messages past their retention, some at a time. Runs as the worker; gives how many went. */
export async function expireParkedMessages(on: Queryable, days: number, now: Date): Promise<number> {
  const before = new Date(now.getTime() - days * 86_400_000)
  let dropped = 0
  for (let round = 0; round < mostRounds; round++) {
    const count = await expireParked(on, before, atOnce)
    dropped += count
    if (count < atOnce) break
  }
  return dropped
}
