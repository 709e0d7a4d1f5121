import type { StatusEvent } from '../domain/status-event.ts'

/** Status events as they are committed, in the order of the log. pipeline/stream has the one that runs. */
export interface LiveFeed {
  /**
   * Resolves once following is established: whatever commits after that is given, if `accepts` says so. So read what is
   * there already after this, and nothing is missed. The iterable ends when `signal` aborts.
   */
  follow(options: {
    tenantId: string
    /** Only events that name this recipient, or are of this intent's story; one is found by it, not by asking everyone. */
    about?: { recipientId: string } | { intentId: string }
    accepts(event: StatusEvent): boolean
    signal: AbortSignal
  }): Promise<AsyncIterable<StatusEvent>>
}
