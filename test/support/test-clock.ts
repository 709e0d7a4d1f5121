import type { Clock } from '../../src/platform/clock.ts'

/** A clock that stands where the test puts it. */
export interface TestClock extends Clock {
  set(moment: Date | string): void
  advance(byMs: number): void
}

export function testClock(start: Date | string = '2026-01-15T10:00:00Z'): TestClock {
  let nowMs = new Date(start).getTime()
  return {
    now: () => new Date(nowMs),
    set: (moment) => {
      nowMs = new Date(moment).getTime()
    },
    advance: (byMs) => {
      nowMs += byMs
    },
  }
}
