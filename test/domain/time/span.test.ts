import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Category } from '../../../src/domain/category.ts'
import { firstOutside, firstWithin, isWithin, type Span, spanOf } from '../../../src/domain/time/span.ts'
import { dayMs, minuteMs } from '../../../src/domain/time/wall-clock.ts'
import { decisionOf } from '../../support/verdicts.ts'

const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Africa/Casablanca', 'UTC']
// Around the switches of 2026, and an ordinary week.
const moments = [
  '2026-03-08T07:00Z',
  '2026-03-29T01:00Z',
  '2026-04-04T15:00Z',
  '2026-10-03T15:30Z',
  '2026-10-25T01:00Z',
  '2026-11-01T06:00Z',
  '2026-11-20T12:00Z',
].map((iso) => Date.parse(iso))

/** The same numbers each time. */
function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

const two = (number: number) => String(number).padStart(2, '0')
const clock = (minutes: number) => `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
const pick = <T>(random: (below: number) => number, from: readonly T[]): T => from[random(from.length)]!

function anySpan(random: (below: number) => number): { startTime: string; endTime: string; days?: number[] } {
  const days = [1, 2, 3, 4, 5, 6, 7].filter(() => random(3) > 0)
  return {
    startTime: clock(random(96) * 15),
    endTime: clock(random(96) * 15),
    ...(random(2) === 0 && { days }),
  }
}

test('the first moment outside or within a span is found to the minute, over any switch', () => {
  const random = chance(20_261_120)
  for (let count = 0; count < 400; count++) {
    const span = spanOf(anySpan(random), pick(random, zones)) as Span
    const from = pick(random, moments) + (random(2 * 1440) - 1440) * minuteMs
    const search = (wanted: boolean) => {
      for (let time = from; time < from + 9 * dayMs; time += 5 * minuteMs)
        if (isWithin(span, time) === wanted) return time
      return undefined
    }
    const horizon = from + 9 * dayMs
    // Spans begin and end at quarters, offsets are quarters of an hour: five minutes miss none.
    const aligned = from % (5 * minuteMs) === 0
    for (const [found, wanted] of [
      [firstOutside(span, from, horizon), false],
      [firstWithin(span, from, horizon), true],
    ] as const) {
      const told = `${JSON.stringify(span)} ${new Date(from).toISOString()}`
      if (found !== undefined) {
        assert.ok(found >= from, told)
        assert.equal(isWithin(span, found), wanted, told)
        if (found > from) assert.equal(isWithin(span, found - 1), !wanted, told)
      }
      const searched = search(wanted)
      if (aligned) assert.equal(found, searched, told)
      else if (searched !== undefined) assert.ok(found !== undefined && found <= searched, told)
    }
  }
})

test('what waits goes at the first moment at which neither quiet hours nor a window is in its way', () => {
  const random = chance(19_700_101)
  let waited = 0
  for (let count = 0; count < 400; count++) {
    const [ofPerson, ofRule, ofCategory] = [anySpan(random), anySpan(random), anySpan(random)]
    const timezone = pick(random, zones)
    const zoneOfCategory = pick(random, zones)
    const from = pick(random, moments) + (random(2 * 288) - 288) * 5 * minuteMs
    const category: Partial<Category> & { name: string } = {
      name: 'news',
      ...(random(2) === 0 && { sendWindow: { ...ofCategory, timezone: zoneOfCategory } }),
    }
    const decision = decisionOf({
      at: new Date(from).toISOString(),
      person: { timezone },
      says: { quietHours: { enabled: true, ...ofPerson, allowCritical: false } },
      want: { schedule: { sendWindow: ofRule } },
      category,
    })
    const quiet = spanOf(ofPerson, timezone) as Span
    const windows = [
      spanOf(ofRule, timezone) as Span,
      ...(category.sendWindow ? [spanOf(ofCategory, zoneOfCategory) as Span] : []),
    ]
    const isFree = (time: number) => !isWithin(quiet, time) && windows.every((window) => isWithin(window, time))
    let free: number | undefined
    for (let time = from; free === undefined && time < from + 8 * dayMs; time += 5 * minuteMs)
      if (isFree(time)) free = time
    const [delivery] = decision.deliveries
    const told = JSON.stringify({ ofPerson, ofRule, category, timezone, from: new Date(from) })
    assert.equal(delivery?.state, free === from ? 'queued' : 'snoozed', told)
    if (free === from) continue
    waited++
    const until = delivery?.until?.getTime() ?? Number.NaN
    assert.ok(until > from, told)
    if (free === undefined) assert.ok(!isFree(until) ? until === from + 7 * dayMs : until >= from + 8 * dayMs, told)
    else assert.equal(until, free, told)
  }
  assert.ok(waited > 100)
})
