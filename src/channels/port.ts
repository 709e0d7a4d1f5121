import type { Channel } from '../domain/channel.ts'
import type { Message } from '../domain/message.ts'
import type { AttemptOutcome } from '../domain/outcome.ts'

/**
 * A vendor behind a channel. `send` is one attempt: it never retries, sleeps, touches the database or logs content,
 * and it returns within its own timeout or when `signal` aborts. It throws only for bugs.
 */
export interface Provider {
  readonly channel: Channel
  /** Kept with each attempt: `smtp`, `webhook`, `capture` … */
  readonly name: string
  send(message: Message, signal: AbortSignal): Promise<AttemptOutcome>
  /** Closes pooled connections; called once, after the last send has ended. */
  close(): Promise<void>
}
