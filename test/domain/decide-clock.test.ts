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
const night = { says: quiet('22:00-07:00') }
const weekdays = [1, 2, 3, 4, 5]

/** What is asked, the zone, the clock, and the answer. */
type Case = [name: string, zone: string | undefined, at: string, given: Given, expected: string]

const matrix: Record<string, Case[]> = {
  'quiet hours': [
    ['before they begin', berlin, '2026-11-20T20:59:59Z', night, 'email'],
    ['as they begin', berlin, '2026-11-20T21:00Z', night, 'email quiet_hours 2026-11-21T06:00Z'],
    ['before midnight', berlin, '2026-11-20T22:59Z', night, 'email quiet_hours 2026-11-21T06:00Z'],
    ['after midnight', berlin, '2026-11-20T23:01Z', night, 'email quiet_hours 2026-11-21T06:00Z'],
    ['in their last second', berlin, '2026-11-21T05:59:59Z', night, 'email quiet_hours 2026-11-21T06:00Z'],
    ['as they end', berlin, '2026-11-21T06:00Z', night, 'email'],
    [
      'within a day',
      berlin,
      '2026-11-20T12:00Z',
      { says: quiet('12:30-14:00') },
      'email quiet_hours 2026-11-20T13:00Z',
    ],
    ['switched off', berlin, '2026-11-20T22:00Z', { says: quiet('22:00-07:00', { enabled: false }) }, 'email'],
    ['CRITICAL passes where it may', berlin, '2026-11-20T22:00Z', { ...night, want: { priority: 3 } }, 'email'],
    [
      'CRITICAL waits where it may not',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('22:00-07:00', { allowCritical: false }), want: { priority: 3 } },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'HIGH is not CRITICAL',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { priority: 2 } },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'what is required waits too',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, category: { name: 'security', required: true } },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'the inbox keeps no hours',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { channels: ['email', 'in_app', 'audit'] } },
      'email quiet_hours 2026-11-21T06:00Z, in_app, audit written',
    ],
    [
      'what waits opens no fallback',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { fallbackChannels: ['in_app'] } },
      'email quiet_hours 2026-11-21T06:00Z, (in_app)',
    ],
    [
      'a fallback that is used at once waits as well',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { channels: ['telegram'], fallbackChannels: ['sms'] } },
      'telegram no_address, sms quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'their own zone goes before the person’s',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('22:00-07:00', { timezone: 'Asia/Tokyo' }) },
      'email',
    ],
    ['without any zone it is UTC', undefined, '2026-11-20T22:00Z', night, 'email quiet_hours 2026-11-21T07:00Z'],
    [
      'or the zone that is set for all',
      undefined,
      '2026-11-20T21:30Z',
      { ...night, settings: { timezone: berlin } },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'a zone that is none is UTC',
      'Europe/Atlantis',
      '2026-11-20T22:00Z',
      night,
      'email quiet_hours 2026-11-21T07:00Z',
    ],
    ['an old name of a zone', 'Asia/Calcutta', '2026-11-20T18:00Z', night, 'email quiet_hours 2026-11-21T01:30Z'],
    [
      'those of the tenant',
      berlin,
      '2026-11-20T22:00Z',
      { defaults: quiet('22:00-07:00') },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'give way to those of the person',
      berlin,
      '2026-11-20T22:00Z',
      { defaults: quiet('22:00-07:00'), says: quiet('01:00-02:00') },
      'email',
    ],
    [
      'even to none',
      berlin,
      '2026-11-20T22:00Z',
      { defaults: quiet('22:00-07:00'), says: quiet('22:00-07:00', { enabled: false }) },
      'email',
    ],
    [
      'a system has none',
      berlin,
      '2026-11-20T22:00Z',
      { defaults: quiet('22:00-07:00'), person: { type: 'system' } },
      'email',
    ],
    ['that cannot be read are none', berlin, '2026-11-20T22:00Z', { says: quiet('22h00-07h00') }, 'email'],
    [
      'a whole day',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('00:00-24:00', { days: [5] }) },
      'email quiet_hours 2026-11-20T23:00Z',
    ],
    [
      'that end as they begin are a whole day',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('12:00-12:00', { days: [5] }) },
      'email quiet_hours 2026-11-21T11:00Z',
    ],
    [
      'that never end are looked at again in a week',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('00:00-24:00') },
      'email quiet_hours 2026-11-27T22:00Z',
    ],
  ],
  'weekdays of quiet hours': [
    // 2026-11-20 is a Friday.
    [
      'on their day',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('22:00-07:00', { days: [5] }) },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'the morning after belongs to it',
      berlin,
      '2026-11-21T05:00Z',
      { says: quiet('22:00-07:00', { days: [5] }) },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    ['the evening after does not', berlin, '2026-11-21T22:00Z', { says: quiet('22:00-07:00', { days: [5] }) }, 'email'],
    [
      'nor the morning of the day itself',
      berlin,
      '2026-11-20T05:00Z',
      { says: quiet('22:00-07:00', { days: [5] }) },
      'email',
    ],
    [
      'Sunday is 7',
      berlin,
      '2026-11-22T12:00Z',
      { says: quiet('08:00-20:00', { days: [7] }) },
      'email quiet_hours 2026-11-22T19:00Z',
    ],
    [
      'and 0',
      berlin,
      '2026-11-22T12:00Z',
      { says: quiet('08:00-20:00', { days: [0] }) },
      'email quiet_hours 2026-11-22T19:00Z',
    ],
    [
      'Sunday night ends on Monday',
      berlin,
      '2026-11-22T23:30Z',
      { says: quiet('22:00-07:00', { days: [0] }) },
      'email quiet_hours 2026-11-23T06:00Z',
    ],
    [
      'a weekend',
      berlin,
      '2026-11-21T10:00Z',
      { says: quiet('00:00-24:00', { days: [6, 7] }) },
      'email quiet_hours 2026-11-22T23:00Z',
    ],
    [
      'no days are all days',
      berlin,
      '2026-11-20T22:00Z',
      { says: quiet('22:00-07:00', { days: [] }) },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'the day is that of the zone',
      'Asia/Tokyo',
      '2026-11-20T16:00Z',
      { says: quiet('00:00-08:00', { days: [6] }) },
      'email quiet_hours 2026-11-20T23:00Z',
    ],
  ],
  'send windows': [
    ['within', berlin, '2026-11-20T12:00Z', open('09:00-17:00'), 'email'],
    ['as it opens', berlin, '2026-11-20T08:00Z', open('09:00-17:00'), 'email'],
    ['before', berlin, '2026-11-20T07:59:59Z', open('09:00-17:00'), 'email send_window 2026-11-20T08:00Z'],
    ['as it closes', berlin, '2026-11-20T16:00Z', open('09:00-17:00'), 'email send_window 2026-11-21T08:00Z'],
    [
      'on weekdays',
      berlin,
      '2026-11-20T16:00Z',
      open('09:00-17:00', { days: weekdays }),
      'email send_window 2026-11-23T08:00Z',
    ],
    ['over midnight', berlin, '2026-11-20T20:00Z', open('22:00-02:00'), 'email send_window 2026-11-20T21:00Z'],
    ['after midnight', berlin, '2026-11-21T00:30Z', open('22:00-02:00', { days: [5] }), 'email'],
    [
      'of the day before yesterday',
      berlin,
      '2026-11-22T00:30Z',
      open('22:00-02:00', { days: [5] }),
      'email send_window 2026-11-27T21:00Z',
    ],
    [
      'in its own zone',
      berlin,
      '2026-11-20T12:00Z',
      open('09:00-17:00', { timezone: newYork }),
      'email send_window 2026-11-20T14:00Z',
    ],
    [
      'CRITICAL keeps it',
      berlin,
      '2026-11-20T20:00Z',
      { want: { priority: 3, schedule: { sendWindow: window('09:00-17:00') } } },
      'email send_window 2026-11-21T08:00Z',
    ],
    [
      'the inbox keeps none',
      berlin,
      '2026-11-20T20:00Z',
      { want: { channels: ['in_app', 'sms'], schedule: { sendWindow: window('09:00-17:00') } } },
      'in_app, sms send_window 2026-11-21T08:00Z',
    ],
    [
      'of a category',
      berlin,
      '2026-11-20T20:00Z',
      { category: { name: 'news', sendWindow: window('09:00-17:00') } },
      'email send_window 2026-11-21T08:00Z',
    ],
    [
      'of both',
      berlin,
      '2026-11-20T20:00Z',
      { ...open('10:00-12:00'), category: { name: 'news', sendWindow: window('11:00-17:00') } },
      'email send_window 2026-11-21T10:00Z',
    ],
    [
      'that are never open together are looked at again in a week',
      berlin,
      '2026-11-20T20:00Z',
      { ...open('10:00-11:00'), category: { name: 'news', sendWindow: window('11:00-17:00') } },
      'email send_window 2026-11-27T20:00Z',
    ],
    [
      'for a system as well',
      berlin,
      '2026-11-20T20:00Z',
      { ...open('09:00-17:00'), person: { type: 'system', timezone: berlin } },
      'email send_window 2026-11-21T08:00Z',
    ],
    ['all the day', berlin, '2026-11-20T20:00Z', open('00:00-24:00'), 'email'],
  ],
  schedules: [
    [
      'after a while',
      berlin,
      '2026-11-20T12:00Z',
      scheduled({ delayMs: 600_000 }),
      'email scheduled 2026-11-20T12:10Z',
    ],
    [
      'from when it was accepted',
      berlin,
      '2026-11-20T12:05Z',
      scheduled({ delayMs: 600_000 }, '2026-11-20T12:00Z'),
      'email scheduled 2026-11-20T12:10Z',
    ],
    ['when that is over', berlin, '2026-11-20T12:10Z', scheduled({ delayMs: 600_000 }, '2026-11-20T12:00Z'), 'email'],
    ['at 9, when it is 9', berlin, '2026-11-20T08:00Z', scheduled({ localTime: '09:00' }), 'email'],
    [
      'at 9, a second later',
      berlin,
      '2026-11-20T08:00:01Z',
      scheduled({ localTime: '09:00' }),
      'email scheduled 2026-11-21T08:00Z',
    ],
    [
      'at 9, decided anew at 9',
      berlin,
      '2026-11-21T08:00Z',
      scheduled({ localTime: '09:00' }, '2026-11-20T12:00Z'),
      'email',
    ],
    [
      'at 9, in another zone by now',
      newYork,
      '2026-11-21T08:00Z',
      scheduled({ localTime: '09:00' }, '2026-11-20T15:00Z'),
      'email scheduled 2026-11-21T14:00Z',
    ],
    [
      'at 9, in a zone of its own',
      berlin,
      '2026-11-20T12:00Z',
      scheduled({ localTime: '09:00', timezone: 'Asia/Tokyo' }),
      'email scheduled 2026-11-21T00:00Z',
    ],
    [
      'at 9, a day after',
      berlin,
      '2026-11-20T12:00Z',
      scheduled({ localTime: '09:00', delayMs: 86_400_000 }),
      'email scheduled 2026-11-22T08:00Z',
    ],
    [
      'at midnight',
      berlin,
      '2026-11-20T12:00Z',
      scheduled({ localTime: '00:00' }),
      'email scheduled 2026-11-20T23:00Z',
    ],
    [
      'the inbox as well',
      berlin,
      '2026-11-20T12:00Z',
      { want: { channels: ['in_app'], schedule: { delayMs: 60_000 } } },
      'in_app scheduled 2026-11-20T12:01Z',
    ],
    [
      'a delay beyond all calendars is ten years',
      berlin,
      '2026-11-20T12:00Z',
      scheduled({ delayMs: 1e300 }),
      'email scheduled 2036-11-27T12:00Z',
    ],
    ['a delay back in time is none', berlin, '2026-11-20T12:00Z', scheduled({ delayMs: -1e300 }), 'email'],
    ['a time that is none is passed over', berlin, '2026-11-20T12:00Z', scheduled({ localTime: 'nine' }), 'email'],
  ],
  together: [
    [
      'a schedule into quiet hours',
      berlin,
      '2026-11-20T12:00Z',
      { ...night, ...scheduled({ localTime: '23:00' }) },
      'email scheduled 2026-11-21T06:00Z',
    ],
    [
      'quiet hours into a closed window',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, ...open('09:00-17:00') },
      'email quiet_hours 2026-11-21T08:00Z',
    ],
    [
      'a window that opens into quiet hours',
      berlin,
      '2026-11-20T12:00Z',
      { ...night, ...open('22:00-09:00') },
      'email send_window 2026-11-21T06:00Z',
    ],
    [
      'a window that quiet hours leave half an hour of',
      berlin,
      '2026-11-20T12:00Z',
      { says: quiet('20:00-08:00'), ...open('19:30-22:00') },
      'email send_window 2026-11-20T18:30Z',
    ],
    [
      'a window on days that quiet hours leave',
      berlin,
      '2026-11-20T12:00Z',
      { says: quiet('00:00-24:00', { days: [6, 7] }), ...open('09:00-17:00', { days: [6, 7, 1] }) },
      'email send_window 2026-11-23T08:00Z',
    ],
    [
      'a window that lies in quiet hours',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, ...open('23:00-05:00') },
      'email quiet_hours 2026-11-27T22:00Z',
    ],
    [
      'windows of two zones',
      berlin,
      '2026-11-20T06:00Z',
      {
        want: { schedule: { sendWindow: window('09:00-17:00') } },
        category: { name: 'news', sendWindow: window('09:00-17:00', { timezone: newYork }) },
      },
      'email send_window 2026-11-20T14:00Z',
    ],
    [
      'over a switch',
      berlin,
      '2026-10-24T20:00Z',
      { ...night, ...open('07:00-08:00') },
      'email quiet_hours 2026-10-25T06:00Z',
    ],
    [
      'a year ahead',
      berlin,
      '2026-11-20T12:00Z',
      { ...night, ...scheduled({ delayMs: 365 * 86_400_000 + 10 * 3_600_000 }) },
      'email scheduled 2027-11-21T06:00Z',
    ],
    [
      'two channels, of which one is suppressed',
      berlin,
      '2026-11-20T22:00Z',
      {
        says: { ...quiet('22:00-07:00'), channels: { sms: { enabled: false } } },
        want: { channels: ['email', 'sms'] },
      },
      'email quiet_hours 2026-11-21T06:00Z, sms channel_opted_out',
    ],
  ],
  'expiry while it waits': [
    [
      'it expires before',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { expiresAt: new Date('2026-11-21T05:59Z') } },
      'expired by expired',
    ],
    [
      'as it would go',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { expiresAt: new Date('2026-11-21T06:00Z') } },
      'expired by expired',
    ],
    [
      'a minute after',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { expiresAt: new Date('2026-11-21T06:01Z') } },
      'email quiet_hours 2026-11-21T06:00Z',
    ],
    [
      'the inbox goes',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { channels: ['email', 'in_app'], expiresAt: new Date('2026-11-21T05:00Z') } },
      'email expired, in_app',
    ],
    [
      'a fallback in the inbox goes',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { fallbackChannels: ['sms', 'in_app'], expiresAt: new Date('2026-11-21T05:00Z') } },
      'email expired, in_app',
    ],
    [
      'no fallback is in time',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { fallbackChannels: ['sms'], expiresAt: new Date('2026-11-21T05:00Z') } },
      'expired by expired',
    ],
    [
      'CRITICAL does not wait',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { priority: 3, expiresAt: new Date('2026-11-20T22:01Z') } },
      'email',
    ],
    [
      'a window that never opens',
      berlin,
      '2026-11-20T22:00Z',
      { ...night, want: { schedule: { sendWindow: window('23:00-05:00') }, expiresAt: new Date('2026-11-22T00:00Z') } },
      'expired by expired',
    ],
    [
      'scheduled for later than that',
      berlin,
      '2026-11-20T12:00Z',
      { want: { schedule: { localTime: '09:00' }, expiresAt: new Date('2026-11-20T20:00Z') } },
      'expired by expired',
    ],
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
