import { setTimeout as delay } from 'node:timers/promises'

/** Whether Postgres refused a value: SQLSTATE classes 22 and 23. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code))
}

/** Gathers results of whatever chunks, and settles those of one tenant together. */
export interface Flusher<T> {
  /** Resolves when the result is on disk; the promise is one for all results of a flush. Rejects if any of them failed. */
  add(tenantId: string, result: T): Promise<void>
}

export interface FlusherOptions<T> {
  settle(tenantId: string, results: T[]): Promise<void>
  flushRows: number
  /** How long a result waits for others at most, while there is room for another flush. */
  flushMs: number
  /** Flushes under way at once. While all are, what comes gathers into larger ones: the busier, the cheaper a row. */
  maxInFlight: number
  /** Results for which a flush is begun while another is under way. */
  worthOwn: number
  /** Waits before a failed flush is tried again: results are too dear to lose to a database that is away for a moment. */
  retryDelaysMs: readonly number[]
}

/** How long a small flush waits for the one under way, which may stand before somebody's lock. */
const patienceMs = 20

interface Flush<T> {
  tenantId: string
  results: T[]
  done: PromiseWithResolvers<void>
}

/** A crash repeats at most what was not yet written, so flushes are small while results trickle in and large only under load. */
export function createFlusher<T>(options: FlusherOptions<T>): Flusher<T> {
  const open = new Map<string, Flush<T>>()
  const full: Flush<T>[] = []
  let inFlight = 0
  let armed = false

  async function settlePatiently(tenantId: string, batch: T[]): Promise<void> {
    for (const delayMs of [...options.retryDelaysMs, undefined]) {
      try {
        return await options.settle(tenantId, batch)
      } catch (error) {
        if (isRefusal(error) && batch.length > 1) return settleHalves(tenantId, batch)
        if (isRefusal(error) || delayMs === undefined) throw error
        await delay(delayMs)
      }
    }
  }

  /** One result that Postgres refuses must not keep the others unwritten, or they would be sent again. */
  async function settleHalves(tenantId: string, batch: T[]): Promise<void> {
    const middle = Math.ceil(batch.length / 2)
    const halves = [batch.slice(0, middle), batch.slice(middle)]
    const results = await Promise.allSettled(halves.map((half) => settlePatiently(tenantId, half)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  function start(flush: Flush<T>): void {
    inFlight++
    settlePatiently(flush.tenantId, flush.results)
      .then(flush.done.resolve, flush.done.reject)
      .finally(() => {
        inFlight--
        const next = full.shift()
        if (next) start(next)
        else arm()
      })
  }

  function close(flush: Flush<T>): void {
    open.delete(flush.tenantId)
    if (inFlight < options.maxInFlight) start(flush)
    else full.push(flush)
  }

  function arm(): void {
    if (armed || open.size === 0 || inFlight >= options.maxInFlight) return
    armed = true
    setTimeout(ripen, options.flushMs)
  }

  function ripen(): void {
    armed = false
    closeAll(false)
    if (open.size === 0 || inFlight === 0 || armed) return
    armed = true
    setTimeout(() => {
      armed = false
      closeAll(true)
    }, patienceMs)
  }

  function closeAll(small: boolean): void {
    for (const flush of [...open.values()]) {
      if (inFlight >= options.maxInFlight) return // they go on growing; the end of a flush looks again
      if (inFlight === 0 || small || flush.results.length >= options.worthOwn) close(flush)
    }
  }

  return {
    add(tenantId, result) {
      let flush = open.get(tenantId)
      if (!flush) {
        flush = { tenantId, results: [], done: Promise.withResolvers() }
        flush.done.promise.catch(() => {}) // told to whoever awaits it
        open.set(tenantId, flush)
      }
      flush.results.push(result)
      if (flush.results.length >= options.flushRows) close(flush)
      else arm()
      return flush.done.promise
    },
  }
}
