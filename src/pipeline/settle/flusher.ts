import { setTimeout as delay } from 'node:timers/promises'

/** Whether Postgres refused a value: SQLSTATE classes 22 and 23. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code))
}

/** Gathers results and settles them in flushes: when enough have come, or the oldest has waited long enough. */
export interface Flusher<T> {
  add(result: T): void
  /** Settles what is left; resolves when everything is on disk, rejects if any flush failed. */
  drain(): Promise<void>
}

/**
 * A crash repeats at most what one flush had not yet written, so flushes are small while results trickle in and large
 * only under load. Flushes of one flusher run one after the other.
 */
export function createFlusher<T>(options: {
  settle(results: T[]): Promise<void>
  flushRows: number
  flushMs: number
  /** Waits before a failed flush is tried again: results are too dear to lose to a database that is away for a moment. */
  retryDelaysMs: readonly number[]
}): Flusher<T> {
  let waiting: T[] = []
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  let failure: { error: unknown } | undefined

  async function settlePatiently(batch: T[]): Promise<void> {
    for (const delayMs of [...options.retryDelaysMs, undefined]) {
      try {
        return await options.settle(batch)
      } catch (error) {
        if (isRefusal(error) && batch.length > 1) return settleHalves(batch)
        if (isRefusal(error) || delayMs === undefined) throw error
        await delay(delayMs)
      }
    }
  }

  /** One result that Postgres refuses must not keep the others unwritten, or they would be sent again. */
  async function settleHalves(batch: T[]): Promise<void> {
    const middle = Math.ceil(batch.length / 2)
    const halves = [batch.slice(0, middle), batch.slice(middle)]
    const results = await Promise.allSettled(halves.map(settlePatiently))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  function flush(): void {
    clearTimeout(timer)
    timer = undefined
    running = running.then(async () => {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, options.flushRows)
        waiting = waiting.slice(options.flushRows)
        try {
          await settlePatiently(batch)
        } catch (error) {
          failure ??= { error }
        }
      }
    })
  }

  return {
    add(result) {
      waiting.push(result)
      if (waiting.length >= options.flushRows) flush()
      else timer ??= setTimeout(flush, options.flushMs)
    },
    async drain() {
      flush()
      await running
      if (failure) throw failure.error
    },
  }
}
