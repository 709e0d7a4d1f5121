import type { StatusEvent } from '../../domain/status-event.ts'
import { OperationalError } from '../../platform/errors.ts'
import type { Concern } from './follower-index.ts'

export interface Follower {
  readonly tenantId: string
  readonly about?: Concern
  /** Resolves when the tailer has taken the follower in; rejects when it ended before. */
  readonly established: Promise<void>
  readonly events: AsyncIterable<StatusEvent>
  establish(): void
  offer(event: StatusEvent): void
  end(error?: Error): void
}

export interface FollowerOptions {
  tenantId: string
  about?: Concern
  accepts(event: StatusEvent): boolean
  signal: AbortSignal
  bufferEvents: number
  /** Called once, whatever ends the follower. */
  onEnd(follower: Follower): void
}

/**
 * A bounded buffer between the tailer, which never waits, and one reader. Too slow a reader still gets what was
 * buffered, and then FOLLOWER_TOO_SLOW, so it knows up to where it has seen everything.
 */
export function createFollower(options: FollowerOptions): Follower {
  const { signal } = options
  const established = Promise.withResolvers<void>()
  established.promise.catch(() => {}) // told to whoever awaits it
  let buffer: StatusEvent[] = []
  let ended = false
  let fault: Error | undefined
  let wanting: PromiseWithResolvers<IteratorResult<StatusEvent>>[] = []

  const follower: Follower = {
    tenantId: options.tenantId,
    about: options.about,
    established: established.promise,
    events: { [Symbol.asyncIterator]: () => ({ next, return: leave }) },
    establish: () => established.resolve(),
    offer(event) {
      if (ended) return
      try {
        if (!options.accepts(event)) return
      } catch (error) {
        end(error as Error)
        return
      }
      const reader = wanting.shift()
      if (reader) reader.resolve({ done: false, value: event })
      else if (buffer.length < options.bufferEvents) buffer.push(event)
      else end(new OperationalError('FOLLOWER_TOO_SLOW', `more than ${options.bufferEvents} events are waiting`))
    },
    end,
  }

  function end(error?: Error): void {
    if (ended) return
    ended = true
    fault = error
    signal.removeEventListener('abort', abort)
    established.reject(error ?? signal.reason ?? new Error('the follower has left'))
    const [first, ...others] = wanting
    wanting = []
    if (first) settle(first)
    for (const reader of others) reader.resolve({ done: true, value: undefined })
    options.onEnd(follower)
  }

  /** Only for a reader that has emptied the buffer: the fault is thrown once, then the iterator is done. */
  function settle(reader: PromiseWithResolvers<IteratorResult<StatusEvent>>): void {
    if (fault) reader.reject(fault)
    else reader.resolve({ done: true, value: undefined })
    fault = undefined
  }

  function abort(): void {
    buffer = []
    end()
  }

  function next(): Promise<IteratorResult<StatusEvent>> {
    const event = buffer.shift()
    if (event) return Promise.resolve({ done: false, value: event })
    const reader = Promise.withResolvers<IteratorResult<StatusEvent>>()
    if (ended) settle(reader)
    else wanting.push(reader)
    return reader.promise
  }

  function leave(): Promise<IteratorResult<StatusEvent>> {
    buffer = []
    fault = undefined
    end()
    return Promise.resolve({ done: true, value: undefined })
  }

  signal.addEventListener('abort', abort, { once: true })
  return follower
}
