import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../src/domain/decide.ts'
import { type DigestPolicy, digestSize, digestTimes, foldInGroup } from '../../src/domain/digest.ts'
import type { Person } from '../../src/domain/person.ts'
import type { Want } from '../../src/domain/want.ts'

const now = new Date('2026-03-28T20:00:00Z') // in Europe/Berlin, the night in which an hour is skipped
const hour = 3_600_000

const moments: [string, DigestPolicy, string | undefined, string, string?][] = [
  ['a window', { windowMs: hour }, undefined, '2026-03-28T21:00:00Z'],
  ['nothing said of times: an hour', { size: 5 }, undefined, '2026-03-28T21:00:00Z'],
  [
    'a sliding window',
    { windowMs: hour, sliding: true, longestMs: 3 * hour },
    undefined,
    '2026-03-28T21:00:00Z',
    '2026-03-28T23:00:00Z',
  ],
  [
    'a sliding window without a longest wait',
    { windowMs: hour, sliding: true },
    undefined,
    '2026-03-28T21:00:00Z',
    '2026-03-29T06:00:00Z',
  ],
  [
    'a longest wait shorter than the window',
    { windowMs: hour, sliding: true, longestMs: 60_000 },
    undefined,
    '2026-03-28T20:01:00Z',
    '2026-03-28T20:01:00Z',
  ],
  [
    'at nine in the recipient’s zone, after the switch',
    { recurrence: { cron: '0 9 * * *' } },
    'Europe/Berlin',
    '2026-03-29T07:00:00Z',
  ],
  [
    'at nine in the zone that the recurrence names',
    { recurrence: { cron: '0 9 * * *', timezone: 'Asia/Tokyo' } },
    'Europe/Berlin',
    '2026-03-29T00:00:00Z',
  ],
  ['at nine of nobody knows which zone', { recurrence: { cron: '0 9 * * *' } }, undefined, '2026-03-29T09:00:00Z'],
  [
    'an RRULE',
    { recurrence: { rrule: 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9;BYMINUTE=0' } },
    'America/New_York',
    '2026-03-30T13:00:00Z',
  ],
  [
    'a recurrence that is over',
    { recurrence: { rrule: 'FREQ=DAILY;UNTIL=20200101T000000Z' } },
    undefined,
    '2026-03-28T20:00:00Z',
  ],
]
for (const [name, policy, zone, closesAt, longestAt] of moments) {
  test(`closes: ${name}`, () => {
    const times = digestTimes(policy, zone, now)
    assert.deepEqual(times.closesAt, new Date(closesAt))
    assert.deepEqual(times.longestAt, longestAt && new Date(longestAt))
  })
}

test('a digest holds what a message can carry', () => {
  assert.deepEqual([{}, { size: 3 }, { size: 0 }, { size: 5_000 }].map(digestSize), [1_000, 3, 1, 1_000])
})

const ann: Person = {
  type: 'user',
  id: 'ann',
  known: true,
  enabled: true,
  roles: [],
  groups: [],
  attributes: {},
  addresses: { email: 'ann@example.com' },
  consents: {},
  suppressions: {},
}
const wanted = (priority: number): Want => ({
  type: 'disk.full',
  priority,
  channels: ['email'],
  template: undefined,
  acceptedAt: now,
  fold: foldInGroup(
    'rule:1:["eu"]',
    { waitMs: 1, intervalMs: 2, repeatMs: 3 },
    { resolved: true, alert: 'db-1' },
    'summary',
  ),
})
const on = {
  settings: { enabledChannels: [], defaultChannels: ['email'] as const },
  categories: new Map(),
} as unknown as Parameters<typeof decide>[2]

test('a group passes the gates whole, and CRITICAL waits in none', () => {
  assert.deepEqual(decide(wanted(2), ann, on, now).fold, {
    key: 'rule:1:["eu"]',
    policy: { template: 'summary' },
    group: { waitMs: 1, intervalMs: 2, repeatMs: 3, resolved: true, alert: 'db-1' },
  })
  assert.equal(decide(wanted(3), ann, on, now).fold, undefined)
  assert.equal(decide({ ...wanted(2), isDigest: true }, ann, on, now).fold, undefined)
})
