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

/** What ends a sleep before its time: a ring or wakeUp; wakeUp alone; or that, and a ring counts for what comes after it. */
type Until = 'rung' | 'told' | 'noted'

export interface PollPauseOptions {
  idlePollMs: number
  wake?: Pick<Wake, 'on'>
  topic: string
  /** The least pause: rings do not shorten it, so those of a few milliseconds share one look. */
  gapMs?: number
}

/**
 * The pause between two looks at the log. After a wake-up it is short again for a while, because the horizon may hide
 * the new events a moment longer.
 */
export function createPollPause(on: PollPauseOptions): PollPause {
  const { gapMs = 0 } = on
  let pauseMs = leastMs
  let woken = false
  let waiting: { until: Until; end(): void } | undefined

  function sleep(ms: number, until: Until): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(end, ms)
      function end() {
        clearTimeout(timer)
        waiting = undefined
        resolve()
      }
      waiting = { until, end }
    })
  }

  function wakeUp(): void {
    pauseMs = leastMs
    woken = true
    waiting?.end()
  }

  const stopListening = on.wake?.on(on.topic, () => {
    if (waiting?.until === 'told') return
    if (waiting?.until !== 'noted') return wakeUp()
    pauseMs = leastMs
    woken = true
  })
  return {
    wakeUp,
    async wait(found) {
      if (gapMs > 0) await sleep(gapMs, 'noted')
      if (!woken) {
        pauseMs = found ? leastMs : Math.min(pauseMs * 2, on.idlePollMs)
        if (pauseMs > gapMs) await sleep(pauseMs - gapMs, 'rung')
      }
      woken = false
    },
    async waitFor(ms) {
      if (!woken) await sleep(ms, 'told')
      woken = false
    },
    linger: (ms) => sleep(ms, 'told'),
    close: () => stopListening?.(),
  }
}
