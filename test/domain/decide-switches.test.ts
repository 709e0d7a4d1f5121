import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { QuietHours } from '../../src/domain/preferences.ts'
import type { Schedule, SendWindow } from '../../src/domain/schedule.ts'
import { decisionOf, type Given, inALine } from '../support/verdicts.ts'

const quiet = (times: string, rest: Partial<QuietHours> = {}): { quietHours: QuietHours } => ({
  quietHours: {
    enabled: true,
    startTime: times.slice(0, 5),
    endTime: times.slice(6),
    allowCritical: true,
    ...rest,
  },
})
const window = (times: string, rest: Partial<SendWindow> = {}): SendWindow => ({
  startTime: times.slice(0, 5),
  endTime: times.slice(6),
  ...rest,
})
const open = (times: string, rest: Partial<SendWindow> = {}): Partial<Given> => ({
  want: { schedule: { sendWindow: window(times, rest) } },
})
const scheduled = (schedule: Schedule, acceptedAt?: string): Partial<Given> => ({
  want: { schedule, ...(acceptedAt && { acceptedAt: new Date(acceptedAt) }) },
})

const berlin = 'Europe/Berlin'
const newYork = 'America/New_York'
const lordHowe = 'Australia/Lord_Howe'
const night = { says: quiet('22:00-07:00') }

/** What is asked, the zone, the clock, and the answer. */
type Case = [name: string, zone: string | undefined, at: string, given: Given, expected: string]

const matrix: Record<string, Case[]> = {
  'Europe/Berlin skips 02:00 to 03:00 on 2026-03-29': [
    ['a night is an hour shorter', berlin, '2026-03-28T21:00Z', night, 'email quiet_hours 2026-03-29T05:00Z'],
    ['just before', berlin, '2026-03-29T00:59Z', night, 'email quiet_hours 2026-03-29T05:00Z'],
    ['just after', berlin, '2026-03-29T01:00Z', night, 'email quiet_hours 2026-03-29T05:00Z'],
    [
      'an end that is skipped is the end of the gap',
      berlin,
      '2026-03-29T00:00Z',
      { says: quiet('22:00-02:30') },
      'email quiet_hours 2026-03-29T01:00Z',
    ],
    [
      'a start that is skipped as well',
      berlin,
      '2026-03-29T01:00Z',
      { says: quiet('02:30-04:00') },
      'email quiet_hours 2026-03-29T02:00Z',
    ],
    ['before such a start nothing waits', berlin, '2026-03-29T00:59Z', { says: quiet('02:30-04:00') }, 'email'],
    ['hours that are skipped altogether', berlin, '2026-03-29T01:00Z', { says: quiet('02:10-02:50') }, 'email'],
    [
      'a window that is skipped altogether opens the next day',
      berlin,
      '2026-03-28T12:00Z',
      open('02:10-02:50'),
      'email send_window 2026-03-30T00:10Z',
    ],
    [
      'a window whose start is skipped opens after the gap',
      berlin,
      '2026-03-29T00:30Z',
      open('02:30-04:00'),
      'email send_window 2026-03-29T01:00Z',
    ],
    [
      'at 9 in the morning',
      berlin,
      '2026-03-28T12:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-03-29T07:00Z',
    ],
    [
      'at a time that is skipped',
      berlin,
      '2026-03-28T12:00Z',
      scheduled({ localTime: '02:30' }),
      'email scheduled 2026-03-29T01:30Z',
    ],
    [
      'a day later is 24 hours later',
      berlin,
      '2026-03-28T12:00Z',
      scheduled({ delayMs: 86_400_000 }),
      'email scheduled 2026-03-29T12:00Z',
    ],
  ],
  'Europe/Berlin repeats 02:00 to 03:00 on 2026-10-25': [
    ['a night is an hour longer', berlin, '2026-10-24T20:00Z', night, 'email quiet_hours 2026-10-25T06:00Z'],
    ['in the first of the two hours', berlin, '2026-10-25T00:30Z', night, 'email quiet_hours 2026-10-25T06:00Z'],
    ['in the second', berlin, '2026-10-25T01:30Z', night, 'email quiet_hours 2026-10-25T06:00Z'],
    [
      'an end in the repeated hour is the first',
      berlin,
      '2026-10-24T23:00Z',
      { says: quiet('22:00-02:30') },
      'email quiet_hours 2026-10-25T00:30Z',
    ],
    ['after the first', berlin, '2026-10-25T00:30Z', { says: quiet('22:00-02:30') }, 'email'],
    [
      'as the clocks show it again',
      berlin,
      '2026-10-25T01:10Z',
      { says: quiet('22:00-02:30') },
      'email quiet_hours 2026-10-25T01:30Z',
    ],
    [
      'hours within the repeated one come twice',
      berlin,
      '2026-10-25T00:15Z',
      { says: quiet('02:10-02:50') },
      'email quiet_hours 2026-10-25T00:50Z',
    ],
    [
      'the second time too',
      berlin,
      '2026-10-25T01:15Z',
      { says: quiet('02:10-02:50') },
      'email quiet_hours 2026-10-25T01:50Z',
    ],
    [
      'hours that end with it end once',
      berlin,
      '2026-10-25T00:30Z',
      { says: quiet('01:00-03:00') },
      'email quiet_hours 2026-10-25T02:00Z',
    ],
    [
      'a window in it opens at the first',
      berlin,
      '2026-10-24T12:00Z',
      open('02:10-02:50'),
      'email send_window 2026-10-25T00:10Z',
    ],
    ['and again', berlin, '2026-10-25T00:55Z', open('02:10-02:50'), 'email send_window 2026-10-25T01:10Z'],
    [
      'at 9 in the morning',
      berlin,
      '2026-10-24T12:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-10-25T08:00Z',
    ],
    [
      'at a time that is repeated',
      berlin,
      '2026-10-24T12:00Z',
      scheduled({ localTime: '02:30' }),
      'email scheduled 2026-10-25T00:30Z',
    ],
    [
      'asked for between the two',
      berlin,
      '2026-10-25T00:45Z',
      scheduled({ localTime: '02:30' }),
      'email scheduled 2026-10-25T01:30Z',
    ],
  ],
  'America/New_York skips 02:00 to 03:00 on 2026-03-08': [
    ['a night is an hour shorter', newYork, '2026-03-08T03:00Z', night, 'email quiet_hours 2026-03-08T11:00Z'],
    ['the night before is not', newYork, '2026-03-07T03:00Z', night, 'email quiet_hours 2026-03-07T12:00Z'],
    [
      'an end that is skipped',
      newYork,
      '2026-03-08T06:30Z',
      { says: quiet('23:00-02:15') },
      'email quiet_hours 2026-03-08T07:00Z',
    ],
    [
      'a start that is skipped',
      newYork,
      '2026-03-08T07:00Z',
      { says: quiet('02:15-03:30') },
      'email quiet_hours 2026-03-08T07:30Z',
    ],
    ['a window', newYork, '2026-03-08T03:00Z', open('09:00-17:00'), 'email send_window 2026-03-08T13:00Z'],
    [
      'at 9 in the morning',
      newYork,
      '2026-03-07T20:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-03-08T13:00Z',
    ],
    ['an old name', 'US/Eastern', '2026-03-08T03:00Z', night, 'email quiet_hours 2026-03-08T11:00Z'],
  ],
  'America/New_York repeats 01:00 to 02:00 on 2026-11-01': [
    ['a night is an hour longer', newYork, '2026-11-01T02:00Z', night, 'email quiet_hours 2026-11-01T12:00Z'],
    ['the night after is not', newYork, '2026-11-02T03:00Z', night, 'email quiet_hours 2026-11-02T12:00Z'],
    [
      'an end in the repeated hour',
      newYork,
      '2026-11-01T03:00Z',
      { says: quiet('22:00-01:30') },
      'email quiet_hours 2026-11-01T05:30Z',
    ],
    [
      'as the clocks show it again',
      newYork,
      '2026-11-01T06:10Z',
      { says: quiet('22:00-01:30') },
      'email quiet_hours 2026-11-01T06:30Z',
    ],
    [
      'a start in it',
      newYork,
      '2026-11-01T05:30Z',
      { says: quiet('01:30-06:00') },
      'email quiet_hours 2026-11-01T06:00Z',
    ],
    [
      'then an hour is open, and it begins again',
      newYork,
      '2026-11-01T06:00Z',
      { says: quiet('01:30-06:00') },
      'email',
    ],
    [
      'until it ends',
      newYork,
      '2026-11-01T06:30Z',
      { says: quiet('01:30-06:00') },
      'email quiet_hours 2026-11-01T11:00Z',
    ],
    [
      'at 9 in the morning',
      newYork,
      '2026-10-31T20:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-11-01T14:00Z',
    ],
  ],
  'Australia/Lord_Howe repeats 01:30 to 02:00 on 2026-04-05': [
    ['a night is half an hour longer', lordHowe, '2026-04-04T11:00Z', night, 'email quiet_hours 2026-04-04T20:30Z'],
    ['the night before is not', lordHowe, '2026-04-03T11:00Z', night, 'email quiet_hours 2026-04-03T20:00Z'],
    [
      'an end in the repeated half hour',
      lordHowe,
      '2026-04-04T14:00Z',
      { says: quiet('22:00-01:45') },
      'email quiet_hours 2026-04-04T14:45Z',
    ],
    [
      'as the clocks show it again',
      lordHowe,
      '2026-04-04T15:05Z',
      { says: quiet('22:00-01:45') },
      'email quiet_hours 2026-04-04T15:15Z',
    ],
    [
      'an end after it',
      lordHowe,
      '2026-04-04T14:45Z',
      { says: quiet('22:00-02:15') },
      'email quiet_hours 2026-04-04T15:45Z',
    ],
    [
      'at 9 in the morning',
      lordHowe,
      '2026-04-04T12:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-04-04T22:30Z',
    ],
    ['a window', lordHowe, '2026-04-04T14:45Z', open('09:00-17:00'), 'email send_window 2026-04-04T22:30Z'],
  ],
  'Australia/Lord_Howe skips 02:00 to 02:30 on 2026-10-04': [
    ['a night is half an hour shorter', lordHowe, '2026-10-03T11:30Z', night, 'email quiet_hours 2026-10-03T20:00Z'],
    ['the night before is not', lordHowe, '2026-10-02T11:30Z', night, 'email quiet_hours 2026-10-02T20:30Z'],
    [
      'an end that is skipped',
      lordHowe,
      '2026-10-03T15:00Z',
      { says: quiet('22:00-02:15') },
      'email quiet_hours 2026-10-03T15:30Z',
    ],
    [
      'a start that is skipped',
      lordHowe,
      '2026-10-03T15:30Z',
      { says: quiet('02:15-03:00') },
      'email quiet_hours 2026-10-03T16:00Z',
    ],
    [
      'at a time that is skipped',
      lordHowe,
      '2026-10-03T12:00Z',
      scheduled({ localTime: '02:15' }),
      'email scheduled 2026-10-03T15:45Z',
    ],
    [
      'at 9 in the morning',
      lordHowe,
      '2026-10-03T12:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-10-03T22:00Z',
    ],
  ],
  'zones that never change': [
    ['Asia/Kolkata in March', 'Asia/Kolkata', '2026-03-28T17:00Z', night, 'email quiet_hours 2026-03-29T01:30Z'],
    ['Asia/Kolkata in October', 'Asia/Kolkata', '2026-10-24T17:00Z', night, 'email quiet_hours 2026-10-25T01:30Z'],
    ['Asia/Kolkata by day', 'Asia/Kolkata', '2026-10-25T01:30Z', night, 'email'],
    ['Asia/Tokyo in March', 'Asia/Tokyo', '2026-03-28T14:00Z', night, 'email quiet_hours 2026-03-28T22:00Z'],
    ['Asia/Tokyo in October', 'Asia/Tokyo', '2026-10-24T14:00Z', night, 'email quiet_hours 2026-10-24T22:00Z'],
    ['UTC in March', 'UTC', '2026-03-28T23:00Z', night, 'email quiet_hours 2026-03-29T07:00Z'],
    ['UTC in October', 'UTC', '2026-10-24T23:00Z', night, 'email quiet_hours 2026-10-25T07:00Z'],
    [
      'at 9 in the morning',
      'Asia/Tokyo',
      '2026-11-20T12:00Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-11-21T00:00Z',
    ],
    ['an offset is a zone', '+05:45', '2026-11-20T17:00Z', night, 'email quiet_hours 2026-11-21T01:15Z'],
  ],
}

for (const [when, cases] of Object.entries(matrix)) {
  for (const [name, timezone, at, given, expected] of cases) {
    test(`${when}: ${name}`, () => {
      const decision = decisionOf({ ...given, at, person: { timezone, ...given.person } })
      assert.equal(inALine(decision), expected)
    })
  }
}
