import { dayMs, minuteMs, minutesOf, wallTime, weekdayOf } from './wall-clock.ts'
import { stretchAt } from './zone.ts'

/** A daily span of the wall clock, ready to be asked of. */
export interface Span {
  zone: string
  /** Milliseconds since midnight of the day on which it begins; `end` may lie in the next day. */
  start: number
  end: number
  /** Bit 1 Monday … bit 7 Sunday. */
  days: number
}

const everyDay = 0b1111_1110

/**
 * A span from two times HH:MM; undefined where they are none. One that ends before it begins goes over midnight, one that
 * ends as it begins is a whole day. No days, or an empty list of them, are all days.
 */
export function spanOf(
  said: { startTime: string; endTime: string; days?: readonly number[] },
  zone: string,
): Span | undefined {
  const start = minutesOf(said.startTime)
  const end = minutesOf(said.endTime)
  if (start === undefined || end === undefined || start === 1440) return undefined
  let days = said.days === undefined || said.days.length === 0 ? everyDay : 0
  for (const day of said.days ?? []) days |= 1 << (day === 0 ? 7 : day)
  return {
    zone,
    start: start * minuteMs,
    end: (end <= start ? end + 1440 : end) * minuteMs,
    days,
  }
}

/** Where the wall clock leaves the span that it is in, as a wall time; undefined: it is in none. */
function leaves(span: Span, wall: number): number | undefined {
  const midnight = Math.floor(wall / dayMs) * dayMs
  const clock = wall - midnight
  const ofToday = clock >= span.start && clock < span.end && beginsOn(span, midnight)
  if (ofToday) return midnight + span.end
  const ofYesterday = clock + dayMs < span.end && beginsOn(span, midnight - dayMs)
  return ofYesterday ? midnight - dayMs + span.end : undefined
}

/** Where the wall clock enters the next span from a wall time outside on; undefined where there is no day for it. */
function enters(span: Span, wall: number): number | undefined {
  const midnight = Math.floor(wall / dayMs) * dayMs
  for (let day = 0; day <= 7; day++) {
    const begins = midnight + day * dayMs + span.start
    if (begins >= wall && beginsOn(span, midnight + day * dayMs)) return begins
  }
  return undefined
}

const beginsOn = (span: Span, midnight: number) => (span.days & (1 << weekdayOf(midnight))) !== 0

/** Whether the clocks show a time within the span. */
export function isWithin(span: Span, time: number): boolean {
  return leaves(span, wallTime(span.zone, time)) !== undefined
}

/**
 * The first moment at or after `time` at which the clocks show a time outside of the span. Exact over switches: what counts
 * is what people read, so a skipped end is reached with the gap, and a repeated hour may be entered twice.
 */
export function firstOutside(span: Span, time: number, horizon: number): number | undefined {
  return walk(span, time, horizon, leaves)
}

/** The first moment at or after `time` at which the clocks show a time within the span. */
export function firstWithin(span: Span, time: number, horizon: number): number | undefined {
  return walk(span, time, horizon, opens)
}

const opens = (span: Span, wall: number) =>
  leaves(span, wall) === undefined ? (enters(span, wall) ?? Number.POSITIVE_INFINITY) : undefined

/** Goes from edge to edge of the wall clock, but never past a change of offset: there it looks at the clock anew. */
function walk(
  span: Span,
  from: number,
  horizon: number,
  edge: (span: Span, wall: number) => number | undefined,
): number | undefined {
  let time = from
  while (time < horizon) {
    const stretch = stretchAt(span.zone, time)
    const next = edge(span, time + stretch.offset)
    if (next === undefined) return time
    time = Math.min(next - stretch.offset, stretch.to)
  }
  return undefined
}
