/**
 * One line of the append-only log. The types, and what `data` holds for each, are in event-types.ts: neither addresses nor
 * content. The subject is an intent, a notification or a delivery (see ids.ts); of the service's own events another UUID.
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
