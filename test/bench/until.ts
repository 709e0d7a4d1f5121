import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs } from './statistics.ts'

const askAgainMs = 10

/** Asks until it is so; throws at the end of the patience, and says what was wanted. */
export async function until(isSo: () => Promise<boolean>, patienceMs: number, wanted: string): Promise<void> {
  const deadlineMs = monotonicMs() + patienceMs
  while (!(await isSo())) {
    if (monotonicMs() > deadlineMs) throw new Error(`after ${patienceMs} ms it is still not so: ${wanted}`)
    await sleep(askAgainMs)
  }
}

/** Waits for a count to get there, for as long as it moves; gives up silently when it has stood still too long. */
export async function untilCounted(count: () => Promise<number>, wanted: number, stillMs: number): Promise<void> {
  let most = Number.NEGATIVE_INFINITY
  let movedAtMs = monotonicMs()
  for (;;) {
    const now = await count()
    if (now >= wanted) return
    if (now > most) {
      most = now
      movedAtMs = monotonicMs()
    } else if (monotonicMs() - movedAtMs > stillMs) return
    await sleep(askAgainMs)
  }
}
