import { setTimeout as sleep } from 'node:timers/promises'

/** Try again until it no longer throws, and give what it returns; after the time, throw what it threw last. */
export async function eventually<T>(attempt: () => T | Promise<T>, on: { timeoutMs?: number } = {}): Promise<T> {
  const deadline = performance.now() + (on.timeoutMs ?? 10_000)
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() + pauseMs > deadline) throw error
    }
    await sleep(pauseMs)
  }
}
