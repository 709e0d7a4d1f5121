import type { ApiContext } from './context.ts'
import { fault } from './errors.ts'

/**
 * Runs a subscription in a place of its key: it ends when the caller leaves, when the server stops, and when the key is
 * revoked, and the place is given back however it ends. What `start` throws answers the request; what comes later
 * breaks the stream.
 */
export async function subscribed<T>(
  context: ApiContext,
  start: (signal: AbortSignal) => Promise<AsyncGenerator<T>>,
): Promise<AsyncIterableIterator<T>> {
  const place = context.services.subscriptions.enter(context.principal.keyId)
  if (!place) throw fault('RATE_LIMITED', 'this API key has too many subscriptions')
  const { signal, begin, release } = place
  let source: AsyncGenerator<T>
  try {
    source = await start(signal)
    begin()
  } catch (error) {
    release()
    throw error
  }
  // Not a race with one promise of the end, which would remember every step for as long as the subscription lives.
  const waiting = new Set<() => void>()
  const end = () => {
    for (const leave of waiting) leave()
  }
  signal.addEventListener('abort', end, { once: true })

  function nextOrEnd(): Promise<IteratorResult<T>> {
    if (signal.aborted) return Promise.resolve({ done: true, value: undefined })
    return new Promise<IteratorResult<T>>((resolve, reject) => {
      const leave = () => resolve({ done: true, value: undefined })
      waiting.add(leave)
      source
        .next()
        .then(resolve, reject)
        .finally(() => waiting.delete(leave))
    })
  }

  function finish(): IteratorResult<T> {
    release()
    void source.return(undefined).catch(() => {}) // it has ended for the caller; how it ends itself is of no interest
    return { done: true, value: undefined }
  }

  const steps: AsyncIterableIterator<T> = {
    async next() {
      try {
        const step = await nextOrEnd()
        if (step.done) return finish()
        if (await context.stillStands()) return step
        throw fault('FORBIDDEN', 'this API key has been revoked')
      } catch (error) {
        finish()
        throw error
      }
    },
    return: async () => finish(),
    throw: async (error) => {
      finish()
      throw error
    },
    [Symbol.asyncIterator]: () => steps,
  }
  return steps
}
