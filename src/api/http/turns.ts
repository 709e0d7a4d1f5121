import { performance } from 'node:perf_hooks'

export interface Turns {
  /** Resolves when it is the turn of so many bytes of requests. */
  take(bytes: number): Promise<void>
  /** How long the first in the line has waited, in milliseconds. */
  waitingMs(): number
}

/** What is read in one turn of the event loop, in bytes, of each of the two lines: some milliseconds of work. */
const turnBytes = { small: 64 * 1024, large: 128 * 1024 }
/** What most single requests stay below, and no bulk does. */
const smallBytes = 8 * 1024

interface Line {
  waiting: { bytes: number; sinceMs: number; go(): void }[]
  left: number
}

/**
 * Lets large requests in one after the other, with a turn of the event loop in between. Otherwise, of a hundred that
 * arrive at once, all would be read and judged before the loop gets to the database's answers again, and everything that
 * is under way would stand still. Small requests have a line of their own: an alert does not wait behind a newsletter.
 */
export function createTurns(): Turns {
  const small: Line = { waiting: [], left: turnBytes.small }
  const large: Line = { waiting: [], left: turnBytes.large }
  let scheduled = false

  function schedule(): void {
    if (scheduled) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      small.left = turnBytes.small
      large.left = turnBytes.large
      advance(small)
      advance(large)
      if (small.waiting.length > 0 || large.waiting.length > 0) schedule()
    })
  }

  function advance(line: Line): void {
    while (line.waiting.length > 0 && line.left > 0) {
      const next = line.waiting.shift()!
      line.left -= next.bytes
      next.go()
    }
  }

  return {
    take(bytes) {
      schedule()
      const line = bytes <= smallBytes ? small : large
      if (line.waiting.length === 0 && line.left > 0) {
        line.left -= bytes
        return Promise.resolve()
      }
      return new Promise((go) => line.waiting.push({ bytes, sinceMs: performance.now(), go }))
    },
    waitingMs() {
      const sinceMs = Math.min(
        ...[small, large].map(({ waiting: [first] }) => first?.sinceMs ?? Number.POSITIVE_INFINITY),
      )
      return Math.max(0, performance.now() - sinceMs)
    },
  }
}
