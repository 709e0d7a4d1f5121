import type { Recurrence } from './schedule.ts'
import { nextOccurrence } from './time/recurrence.ts'

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
  /** Of a rule with a group of alerts: then the policy's times are not looked at. See grouping.ts. */
  group?: GroupFold
}

/** What a rule says of its groups of alerts, and what one event says of an alert. */
export interface GroupFold {
  waitMs: number
  intervalMs: number
  repeatMs: number
  resolved: boolean
  /**
   * Which alert of the group the event tells of: a resolved one ends that alert, and the last one the group. Absent: each
   * event is an alert of its own, and a resolved one ends the whole group.
   */
  alert?: string
}

/** The fold of an event that a rule with groups of alerts wants. */
export function foldInGroup(
  key: string,
  times: Pick<GroupFold, 'waitMs' | 'intervalMs' | 'repeatMs'>,
  event: Pick<GroupFold, 'resolved' | 'alert'>,
  template?: string,
): Fold {
  const { waitMs, intervalMs, repeatMs } = times
  return { key, policy: template === undefined ? {} : { template }, group: { waitMs, intervalMs, repeatMs, ...event } }
}

/** What a template sees of a member. */
export interface DigestItem {
  type: string
  data: Record<string, unknown>
  subject?: string
  /** ISO 8601. */
  at: string
  /** Of an alert in a group. */
  status?: 'firing' | 'resolved'
}

/** What a digest holds at most, unless its policy says less: what one message can carry. Then the next one is begun. */
export const mostItems = 1_000
export const defaultWindowMs = 3_600_000
/** How often a window without `longestMs` may slide by its own length. */
const mostSlides = 10

/** When a digest that is opened now is closed. */
export function digestTimes(
  policy: DigestPolicy,
  timezone: string | undefined,
  now: Date,
): { closesAt: Date; longestAt?: Date } {
  const after = (ms: number) => new Date(now.getTime() + ms)
  if (policy.recurrence) {
    // A recurrence that has come to its end closes what is left.
    return { closesAt: nextOccurrence(policy.recurrence, now, timezone) ?? now }
  }
  const windowMs = policy.windowMs ?? defaultWindowMs
  if (!policy.sliding) return { closesAt: after(windowMs) }
  const longestMs = policy.longestMs ?? mostSlides * windowMs
  return { closesAt: after(Math.min(windowMs, longestMs)), longestAt: after(longestMs) }
}

export function digestSize({ size }: DigestPolicy): number {
  return size === undefined ? mostItems : Math.min(Math.max(1, size), mostItems)
}
