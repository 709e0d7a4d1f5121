export interface LeadEnd {
  /** The work's result, or a rejection as soon as it makes no more sense to wait for it. */
  answered<T>(work: Promise<T>): Promise<T>
  /** From now on nobody waits. */
  close(): void
}

export interface LeadEndOptions {
  /** Ends every wait at once, with what `lostError` makes. */
  lost: AbortSignal
  lostError(): Error
  /** Ends every wait when it has lasted for the patience. */
  stopping: AbortSignal
  stopPatienceMs: number
  stopError(): Error
}

/** Waits that end with a lead. Not a race against one promise: that would keep something of every wait until the lead ends. */
export function watchLeadEnd(on: LeadEndOptions): LeadEnd {
  const closed = new AbortController()
  const waiting = new Set<(error: Error) => void>()
  let over: Error | undefined
  let timer: NodeJS.Timeout | undefined

  function end(error: Error): void {
    over ??= error
    for (const reject of waiting) reject(over)
    waiting.clear()
  }

  function whenAborted(signal: AbortSignal, then: () => void): void {
    if (signal.aborted) then()
    else signal.addEventListener('abort', then, { once: true, signal: closed.signal })
  }

  whenAborted(on.lost, () => end(on.lostError()))
  whenAborted(on.stopping, () => {
    timer = setTimeout(() => end(on.stopError()), on.stopPatienceMs)
  })
  return {
    answered(work) {
      return new Promise((resolve, reject) => {
        if (over) reject(over)
        else waiting.add(reject)
        work.then(resolve, reject).finally(() => waiting.delete(reject))
      })
    },
    close() {
      closed.abort()
      clearTimeout(timer)
    },
  }
}
