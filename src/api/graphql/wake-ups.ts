export interface WakeUps {
  next(): Promise<boolean>
}

/**
 * Makes one wake-up of all events that came since the last one was taken. `next` gives false when the events have
 * ended, and throws what they threw.
 */
export function coalesceWakeUps(events: AsyncIterable<unknown>): WakeUps {
  let woken = false
  let ended = false
  let failed: { error: unknown } | undefined
  let wake: (() => void) | undefined

  void (async () => {
    try {
      for await (const _event of events) {
        woken = true
        wake?.()
      }
    } catch (error) {
      failed = { error }
    }
    ended = true
    wake?.()
  })()

  return {
    async next() {
      if (!woken && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        wake = undefined
      }
      if (failed) throw failed.error
      if (!woken) return false
      woken = false
      return true
    },
  }
}
