import type { Wake } from '../../platform/wake.ts'

export interface PollPause {
  /** Waits: a few milliseconds after `found`, twice as long each time after nothing, and no longer once woken or aborted. */
  wait(found: boolean): Promise<void>
  /** Ends the wait under way, or the next one. */
  wakeUp(): void
  close(): void
}

const leastMs = 4

/**
 * The pause between two looks at the log. After a wake-up it is short again for a while, because the horizon may hide
 * the new events for a moment longer.
 */
export function createPollPause(on: { idlePollMs: number; wake?: Pick<Wake, 'on'>; topic: string }): PollPause {
  let pauseMs = leastMs
  let woken = false
  let endWait: (() => void) | undefined

  function wakeUp(): void {
    pauseMs = leastMs
    woken = true
    endWait?.()
  }

  const stopListening = on.wake?.on(on.topic, wakeUp)
  return {
    wakeUp,
    async wait(found) {
      if (!woken) {
        pauseMs = found ? leastMs : Math.min(pauseMs * 2, on.idlePollMs)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pauseMs)
          endWait = () => {
            clearTimeout(timer)
            resolve()
          }
        })
        endWait = undefined
      }
      woken = false
    },
    close: () => stopListening?.(),
  }
}
