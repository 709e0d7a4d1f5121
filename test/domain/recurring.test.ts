import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { dueOccurrence, firstOccurrence } from '../../src/domain/recurring.ts'
import type { Recurrence } from '../../src/domain/schedule.ts'
import { nextOccurrence } from '../../src/domain/time/recurrence.ts'

const at = (text: string) => new Date(text)

describe('what is due of a recurrence', () => {
  const cases: [
    name: string,
    recurrence: Recurrence,
    nextAt: string,
    now: string,
    occurrence: string,
    next?: string,
  ][] = [
    [
      'the one that is due',
      { cron: '0 9 * * *' },
      '2026-11-20T09:00Z',
      '2026-11-20T09:00Z',
      '2026-11-20T09:00Z',
      '2026-11-21T09:00Z',
    ],
    [
      'of three that were missed the last',
      { cron: '0 9 * * *' },
      '2026-11-20T09:00Z',
      '2026-11-22T12:00Z',
      '2026-11-22T09:00Z',
      '2026-11-23T09:00Z',
    ],
    [
      'after a year of minutes the last',
      { cron: '* * * * *' },
      '2025-11-20T09:00Z',
      '2026-11-20T09:00:30Z',
      '2026-11-20T09:00Z',
      '2026-11-20T09:01Z',
    ],
    [
      'after years of months the last',
      { cron: '0 0 1 * *' },
      '2020-01-01T00:00Z',
      '2026-11-20T09:00Z',
      '2026-11-01T00:00Z',
      '2026-12-01T00:00Z',
    ],
    [
      'after years of years the last',
      { cron: '0 0 29 2 *' },
      '2016-02-29T00:00Z',
      '2026-11-20T09:00Z',
      '2024-02-29T00:00Z',
      '2028-02-29T00:00Z',
    ],
    [
      'the last of a series',
      { rrule: 'DTSTART:20261101T090000Z\nRRULE:FREQ=DAILY;COUNT=3' },
      '2026-11-03T09:00Z',
      '2026-11-20T09:00Z',
      '2026-11-03T09:00Z',
    ],
    [
      'over a switch of the clocks',
      { cron: '0 9 * * *', timezone: 'Europe/Berlin' },
      '2026-10-24T07:00Z',
      '2026-10-25T08:00Z',
      '2026-10-25T08:00Z',
      '2026-10-26T08:00Z',
    ],
  ]
  for (const [name, recurrence, nextAt, now, occurrence, next] of cases) {
    it(name, () => {
      let asked = 0
      const due = dueOccurrence(at(nextAt), at(now), (after) => {
        asked++
        return nextOccurrence(recurrence, after, 'UTC')
      })
      assert.deepEqual(due, next ? { occurrence: at(occurrence), next: at(next) } : { occurrence: at(occurrence) })
      assert.ok(asked < 100, `${asked} occurrences were looked at`)
    })
  }
})

describe('the first occurrence', () => {
  const daily = (after: Date) => nextOccurrence({ cron: '0 9 * * *' }, after, 'UTC')

  it('may be the beginning itself', () => {
    const span = { startsAt: at('2026-11-20T09:00Z') }
    assert.deepEqual(firstOccurrence(span, at('2026-11-01T00:00Z'), daily), at('2026-11-20T09:00Z'))
  })

  it('is none before the end', () => {
    const span = { startsAt: at('2026-11-20T10:00Z'), endsAt: at('2026-11-21T09:00Z') }
    assert.equal(firstOccurrence(span, at('2026-11-01T00:00Z'), daily), undefined)
  })
})
