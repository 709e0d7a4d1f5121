import { performance } from 'node:perf_hooks'

export interface Turns {
  /** Resolves when it is the turn of so many bytes of requests. */
  take(bytes: number): Promise<void>
  /** How long the first in the line has waited, in milliseconds. */
  waitingMs(): number
}

/** Requests read in one turn of the event loop, in bytes: some milliseconds of work. */
const turnBytes = 128 * 1024

/**
 * Lets large requests in one after the other, with a turn of the event loop in between. Otherwise, of a hundred that
 * arrive at once, all would be read and judged before the loop gets to the database's answers again, and everything that
 * is under way would stand still.
 */
export function createTurns(): Turns {
  const line: { bytes: number; sinceMs: number; go(): void }[] = []
  let left = turnBytes
  let scheduled = false

  function schedule(): void {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      left = turnBytes
      while (line.length > 0 && left > 0) {
        const next = line.shift()!
        left -= next.bytes
        next.go()
      }
      if (line.length > 0) schedule()
    })
  }

  return {
    take(bytes) {
      schedule()
      if (line.length === 0 && left > 0) {
        left -= bytes
        return Promise.resolve()
      }
      return new Promise((go) => line.push({ bytes, sinceMs: performance.now(), go }))
    },
    waitingMs: () => (line[0] ? performance.now() - line[0].sinceMs : 0),
  }
}
