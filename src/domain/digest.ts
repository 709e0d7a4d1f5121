import type { Recurrence } from './schedule.ts'

/** When a digest is closed: when its window ends, when it is full, or at the moments of a recurrence. */
export interface DigestPolicy {
  /** Milliseconds from the first member. Absent with `recurrence`. */
  windowMs?: number
  /** Each member moves the end; `longestMs` bounds it. */
  sliding?: boolean
  longestMs?: number
  /** Closed at once with so many members. */
  size?: number
  /** In the recipient's zone, where it names none. */
  recurrence?: Recurrence
  /** The template of the digest; absent: that of its newest member. */
  template?: string
}

/** In which digest a notification is folded: one for each recipient and key. */
export interface Fold {
  /** `rule:<id>`, `category:<name>`, with the value of a rule's `batchKey` behind it. */
  key: string
  policy: DigestPolicy
}
