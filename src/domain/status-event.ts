/**
 * One line of the append-only log. `type` is `notification.intent.<received|unmatched|failed>`,
 * `notification.<channel>.<requested|sent|retrying|failed|cancelled|expired|suppressed|delivered|bounced|read|seen|archived>`,
 * `notification.<cancelled|expired|failed|dead_lettered|replayed>`. The subject is an intent, a notification or a
 * delivery (see ids.ts). `data` has snake_case keys and neither addresses nor content: among them recipient_id, channel,
 * attempt, provider, reason, correlation_id, traceparent, idempotency_key.
 */
export interface StatusEvent {
  tenantId: string
  subjectId: string
  id: string
  /** The writing transaction, an xid8 as a decimal string. */
  xid: string
  type: string
  at: Date
  data: Record<string, unknown>
}

/** A place in the log: everything with a greater (xid, id) comes after it. */
export interface FeedCursor {
  xid: string
  id: string
}

export const feedStart: FeedCursor = { xid: '0', id: '00000000-0000-0000-0000-000000000000' }
