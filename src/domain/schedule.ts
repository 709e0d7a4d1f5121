/** When a message may leave, by the wall clock of a zone; absent zone: the recipient's, and UTC where that is unknown. */
export interface SendWindow {
  /** HH:MM; a window that ends before it begins goes over midnight. */
  startTime: string
  endTime: string
  timezone?: string
  /** Days on which a window begins: 1 Monday … 7 Sunday (0 is Sunday too). Absent: every day. */
  days?: readonly number[]
}

/** When what a rule or request wants is sent; absent: at once. */
export interface Schedule {
  /** Milliseconds after the event was accepted. */
  delayMs?: number
  /** HH:MM: the first such moment from then on, in `timezone` or the recipient's own. */
  localTime?: string
  timezone?: string
  sendWindow?: SendWindow
}

/** Moments that come again: a cron expression (five fields) or an RFC 5545 RRULE, in a zone. Exactly one of the two. */
export interface Recurrence {
  cron?: string
  rrule?: string
  timezone?: string
}
