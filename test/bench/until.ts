import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs } from './statistics.ts'

/** Asks until it is so. At the end of the patience it throws, or gives up silently where nothing is `wanted` by name. */
export async function until(isSo: () => Promise<boolean>, patienceMs: number, wanted?: string): Promise<void> {
  const deadlineMs = monotonicMs() + patienceMs
  while (!(await isSo())) {
    if (monotonicMs() > deadlineMs) {
      if (wanted !== undefined) throw new Error(`after ${patienceMs} ms it is still not so: ${wanted}`)
      return
    }
    await sleep(10)
  }
}
