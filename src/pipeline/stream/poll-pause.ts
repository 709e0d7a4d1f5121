import type { Wake } from '../../platform/wake.ts'

export interface PollPause {
  /** The wait before the next look: a few milliseconds after `found`, each time twice as long after nothing. */
  wait(found: boolean): Promise<void>
  /** A wait of a given length, after a fault; wakeUp ends it, wake-ups from elsewhere do not. */
  waitFor(ms: number): Promise<void>
  /** A wait that rings do not shorten: what comes meanwhile goes along in one read. */
  linger(ms: number): Promise<void>
  /** Ends the wait under way, or the next one. */
  wakeUp(): void
  close(): void
}

const leastMs = 4

/**
 * The pause between two looks at the log. After a wake-up it is short again for a while, because the horizon may hide
 * the new events a moment longer.
 */
export function createPollPause(on: { idlePollMs: number; wake?: Pick<Wake, 'on'>; topic: string }): PollPause {
  let pauseMs = leastMs
  let woken = false
  let waiting: { isFault: boolean; end(): void } | undefined

  function sleep(ms: number, isFault: boolean): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(end, ms)
      function end() {
        clearTimeout(timer)
        waiting = undefined
        resolve()
      }
      waiting = { isFault, end }
    })
  }

  function wakeUp(): void {
    pauseMs = leastMs
    woken = true
    waiting?.end()
  }

  const stopListening = on.wake?.on(on.topic, () => {
    if (waiting?.isFault) return
    wakeUp()
  })
  return {
    wakeUp,
    async wait(found) {
      if (!woken) {
        pauseMs = found ? leastMs : Math.min(pauseMs * 2, on.idlePollMs)
        await sleep(pauseMs, false)
      }
      woken = false
    },
    async waitFor(ms) {
      if (!woken) await sleep(ms, true)
      woken = false
    },
    linger: (ms) => sleep(ms, true),
    close: () => stopListening?.(),
  }
}
