import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  addTo,
  bookIn,
  idleFrom,
  openCounter,
  type StoredCounter,
  takeFrom,
} from '../../../src/domain/limits/counter.ts'
import { decodeCounts, encodeCounts } from '../../../src/domain/limits/counts-text.ts'
import { type Slots, slotAt, slotsOf, startOfSlot } from '../../../src/domain/limits/slots.ts'

const hour = slotsOf({ seconds: 3_600 })
const day = slotsOf({ calendar: 'day' })
const month = slotsOf({ calendar: 'month' })
const at = (text: string) => Date.parse(text)

/** A generator of numbers from 0 to 1 that gives the same ones each time. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

describe('slots', () => {
  const windows: [seconds: number, every: number, span: number][] = [
    [1, 17, 60],
    [10, 167, 61],
    [60, 1_000, 61],
    [3_600, 60_000, 61],
    [86_400, 1_440_000, 61],
    [604_800, 10_080_000, 61],
  ]
  for (const [seconds, every, span] of windows) {
    test(`of a window of ${seconds} s hold all of it, wherever it begins`, () => {
      assert.deepEqual(slotsOf({ seconds }), { every, span })
      assert.ok((span - 1) * every >= seconds * 1_000)
      assert.ok((span - 1) * every < seconds * 1_000 * 1.05, 'at most a twentieth too long')
    })
  }
  const moments: [name: string, slots: Slots, moment: string, begins: string, ends: string][] = [
    ['a day', day, '2026-03-29T23:59:59.999Z', '2026-03-29T00:00:00Z', '2026-03-30T00:00:00Z'],
    ['a month', month, '2026-12-31T23:59:59.999Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['a leap February', month, '2028-02-29T12:00:00Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
    ['a minute of an hour', hour, '2026-03-29T01:30:30Z', '2026-03-29T01:30:00Z', '2026-03-29T01:31:00Z'],
  ]
  for (const [name, slots, moment, begins, ends] of moments) {
    test(`${name} begins and ends in UTC`, () => {
      const slot = slotAt(slots, at(moment))
      assert.equal(startOfSlot(slots, slot), at(begins))
      assert.equal(startOfSlot(slots, slot + 1), at(ends))
    })
  }
})

/** Sends whenever there is room, and gives the moments of what was sent. */
function sendAll(slots: Slots, max: number, moments: number[]): number[] {
  let stored: StoredCounter | undefined
  const sent: number[] = []
  for (const moment of moments) {
    const counter = openCounter(slots, stored, moment)
    if (counter.total < max) {
      addTo(counter, 1)
      sent.push(moment)
    } else {
      const until = bookIn(counter, max)
      assert.ok(until && until.getTime() > moment, 'room comes later')
    }
    stored = decodeCounts(encodeCounts({ limit: counter.stored })).limit
  }
  return sent
}

describe('a sliding window', () => {
  for (const [seconds, max, gapMs] of [
    [1, 5, 100],
    [60, 7, 2_000],
    [3_600, 100, 20_000],
    [3_600, 1, 600_000],
    [86_400, 5, 3_600_000],
  ] as const) {
    test(`of ${seconds} s never holds more than ${max}, wherever it begins`, () => {
      const next = random(seconds + max)
      let moment = at('2026-03-10T12:00:00Z')
      const moments = Array.from({ length: 5_000 }, () => {
        moment += next() < 0.3 ? 0 : next() * 2 * gapMs
        return Math.floor(moment)
      })
      const sent = sendAll(slotsOf({ seconds }), max, moments)
      assert.ok(sent.length > max)
      for (let index = max; index < sent.length; index++) {
        assert.ok(sent[index]! - sent[index - max]! >= seconds * 1_000, `${max + 1} within ${seconds} s`)
      }
      // And what fits is sent: demand is about ten times the limit in the first cases.
      const possible = ((moments.at(-1)! - moments[0]!) / (seconds * 1_000)) * max
      if (moments.length > 3 * possible) assert.ok(sent.length > 0.8 * possible, `${sent.length} of ${possible}`)
    })
  }

  test('holds no more when the clocks of processes differ', () => {
    const next = random(7)
    let moment = at('2026-03-10T12:00:00Z')
    let stored: StoredCounter | undefined
    const sent: number[] = []
    for (let step = 0; step < 5_000; step++) {
      moment += next() * 10_000
      const counter = openCounter(slotsOf({ seconds: 60 }), stored, moment + (next() - 0.5) * 5_000)
      if (counter.total < 3) {
        addTo(counter, 1)
        sent.push(startOfSlot(counter.slots, counter.slot))
      }
      stored = counter.stored
    }
    for (let index = 3; index < sent.length; index++) assert.ok(sent[index]! - sent[index - 3]! > 60_000)
  })

  test('a clock that was a year ahead does not lock everybody out for a year', () => {
    const now = at('2026-03-10T12:00:00Z')
    const wrong = openCounter(hour, undefined, now + 365 * 86_400_000)
    addTo(wrong, 3)
    const counter = openCounter(hour, wrong.stored, now)
    assert.equal(counter.total, 3)
    assert.equal(openCounter(hour, counter.stored, now + 61 * 60_000).total, 0)
  })

  test('of another length begins with what the one before it held', () => {
    const now = at('2026-03-10T12:00:30Z')
    const before = openCounter(hour, undefined, now - 30 * 60_000)
    addTo(before, 4)
    const longer = openCounter(slotsOf({ seconds: 7_200 }), before.stored, now)
    assert.equal(longer.total, 4)
    assert.equal(openCounter(slotsOf({ seconds: 60 }), before.stored, now).total, 0)
    assert.equal(openCounter(day, before.stored, now).total, 0, 'a quota cannot know what was sent before it')
  })
})

describe('who has to wait', () => {
  const now = at('2026-03-10T12:00:30Z')
  const times = (count: number, counter = openCounter(hour, undefined, now), max = 3) => {
    addTo(counter, max - counter.total)
    return Array.from({ length: count }, () => bookIn(counter, max)!.toISOString().slice(11, 16))
  }
  test('is told to come when places become free', () => {
    assert.deepEqual(times(4), ['13:01', '13:01', '13:01', '13:01'])
  })
  /** One of three was sent at 11:30. */
  const spread = () => {
    const first = openCounter(hour, undefined, now - 30 * 60_000)
    addTo(first, 1)
    return openCounter(hour, first.stored, now)
  }
  test('is spread over the window, as what was sent leaves it, and from its beginning again', () => {
    assert.deepEqual(times(7, spread()), ['12:31', '13:01', '13:01', '12:31', '13:01', '13:01', '12:31'])
  })
  test('is spread across chunks, too', () => {
    const counter = spread()
    assert.deepEqual(times(2, counter), ['12:31', '13:01'])
    const later = openCounter(hour, decodeCounts(encodeCounts({ limit: counter.stored })).limit, now + 60_000)
    assert.deepEqual(times(2, later), ['13:01', '12:31'])
  })
  test('waits for all that CRITICAL has taken too much', () => {
    const first = openCounter(hour, undefined, now - 30 * 60_000)
    addTo(first, 2)
    const counter = openCounter(hour, first.stored, now)
    addTo(counter, 3)
    assert.equal(bookIn(counter, 3)!.toISOString().slice(11, 16), '13:01')
  })
  test('comes on the next day or in the next month where there is a quota', () => {
    const waiting = (slots: Slots) => {
      const counter = openCounter(slots, undefined, at('2026-12-31T12:00:00Z'))
      addTo(counter, 2)
      return Array.from({ length: 3 }, () => bookIn(counter, 2)!.toISOString())
    }
    assert.deepEqual(waiting(day), Array(3).fill('2027-01-01T00:00:00.000Z'))
    assert.deepEqual(waiting(month), Array(3).fill('2027-01-01T00:00:00.000Z'))
  })
})

describe('what is taken back', () => {
  const now = at('2026-03-10T12:00:30Z')
  test('leaves room again, in the slot in which it was counted', () => {
    const counter = openCounter(hour, undefined, now)
    addTo(counter, 3)
    const later = openCounter(hour, counter.stored, now + 120_000)
    addTo(later, 1)
    takeFrom(later, 2, now)
    assert.equal(later.total, 2)
    assert.deepEqual(later.stored.counts, [1, 0, 1])
  })
  test('is no more than is counted', () => {
    const counter = openCounter(hour, undefined, now)
    addTo(counter, 1)
    takeFrom(counter, 5, now)
    assert.equal(counter.total, 0)
    takeFrom(openCounter(hour, undefined, now), 1, now - 86_400_000)
  })
  test('does not let a quota warn once more', () => {
    const counter = openCounter(day, undefined, now)
    addTo(counter, 5)
    counter.stored.warned = 80
    takeFrom(counter, 5, now)
    const stored = decodeCounts(encodeCounts({ limit: openCounter(day, counter.stored, now + 1_000).stored })).limit
    assert.equal(openCounter(day, stored, now + 2_000).stored.warned, 80)
    assert.equal(openCounter(day, stored, now + 86_400_000).stored.warned, undefined)
  })
})

test('counts say nothing any more once they have left the window, and what was promised has come', () => {
  const counter = openCounter(hour, undefined, at('2026-03-10T12:00:30Z'))
  addTo(counter, 3)
  assert.equal(new Date(idleFrom(counter.stored)).toISOString(), '2026-03-10T13:01:00.000Z')
  bookIn(counter, 3)
  assert.equal(new Date(idleFrom(counter.stored)).toISOString(), '2026-03-10T13:02:00.000Z')
})

test('counts stand as text, and are read as they were written', () => {
  const counts = {
    '01a1fa45-0000-7000-8000-000000000001': { every: 60_000, span: 61, first: 29_000_000, counts: [1, 0, 12] },
    '01a1fa45-0000-7000-8000-000000000002': {
      every: 'month' as const,
      span: 1,
      first: 24_312,
      counts: [900_000],
      booked: [24_313, 7] as [number, number],
      warned: 80,
    },
  }
  assert.deepEqual(decodeCounts(encodeCounts(counts)), counts)
  assert.match(encodeCounts(counts), /^[^\s,{}"\\]+$/, 'nothing that needs quotes in an array literal')
  assert.deepEqual(decodeCounts(encodeCounts({})), {})
})
