import type { Recurrence } from './schedule.ts'

type Next = (after: Date) => Date | undefined

export interface DueOccurrence {
  /** The last one that is due: after a standstill only that one is made up for. */
  occurrence: Date
  /** The first one that is not due yet; absent: there is none any more. */
  next?: Date
}

const minuteMs = 60_000
const stepsMs = [minuteMs, 60 * minuteMs, 1_440 * minuteMs, 31 * 1_440 * minuteMs]

/** What is due of a recurrence whose next occurrence was `nextAt`, no later than now. `next` gives the first one after a moment. */
export function dueOccurrence(nextAt: Date, now: Date, next: Next): DueOccurrence {
  // After a long standstill it looks back from now in growing steps instead of walking through all that was missed.
  let occurrence = nextAt
  for (const stepMs of stepsMs) {
    const from = now.getTime() - stepMs
    if (from <= nextAt.getTime()) break
    const found = next(new Date(from - 1))
    if (!found || found > now) continue
    occurrence = found
    break
  }
  for (;;) {
    const following = next(occurrence)
    if (!following) return { occurrence }
    if (following > now) return { occurrence, next: following }
    occurrence = following
  }
}

/** The first occurrence of a recurrence from its beginning on that is not before `from`, and not after its end. */
export function firstOccurrence(span: { startsAt: Date; endsAt?: Date }, from: Date, next: Next): Date | undefined {
  const earliest = Math.max(span.startsAt.getTime(), from.getTime())
  const found = next(new Date(earliest - 1))
  return found && (span.endsAt === undefined || found < span.endsAt) ? found : undefined
}

/** The key by which one occurrence is accepted once. */
export const occurrenceKey = (scheduleId: string, occurrence: Date): string =>
  `schedule:${scheduleId}:${occurrence.toISOString()}`

/** Whether it comes again at the same moments. */
export function isSameRecurrence(a: Recurrence, b: Recurrence): boolean {
  return a.cron === b.cron && a.rrule === b.rrule && a.timezone === b.timezone
}
