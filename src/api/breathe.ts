import { setImmediate as nextTurn } from 'node:timers/promises'

/** So long other requests wait for one stretch of a long work, such as a dry run, or for one piece of it that takes longer. */
const longestStretchMs = 10

/** Gives a function to be called between pieces of work: it lets others in when a stretch has been long enough. */
export function createBreath(): () => Promise<void> | undefined {
  let sinceMs = performance.now()
  return () => {
    if (performance.now() - sinceMs < longestStretchMs) return undefined
    return nextTurn().then(() => {
      sinceMs = performance.now()
    })
  }
}
