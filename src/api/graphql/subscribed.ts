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
  const ended = new Promise<IteratorResult<T>>((resolve) => {
    const end = () => resolve({ done: true, value: undefined })
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })

  function finish(): IteratorResult<T> {
    release()
    void source.return(undefined).catch(() => {}) // it has ended for the caller; how it ends itself is of no interest
    return { done: true, value: undefined }
  }

  const steps: AsyncIterableIterator<T> = {
    async next() {
      try {
        const step = await Promise.race([source.next(), ended])
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
