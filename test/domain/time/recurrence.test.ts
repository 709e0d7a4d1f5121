import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Recurrence } from '../../../src/domain/schedule.ts'
import { nextOccurrence, recurrenceFault } from '../../../src/domain/time/recurrence.ts'

function following(recurrence: Recurrence, zone: string | undefined, after: string, count: number): string[] {
  const found: string[] = []
  for (let time: Date | undefined = new Date(after); found.length < count; ) {
    time = nextOccurrence(recurrence, time, zone)
    if (time === undefined) break
    found.push(time.toISOString().replace(':00.000Z', 'Z'))
  }
  return found
}

const cases: [string, Recurrence, string | undefined, string, string[]][] = [
  [
    'cron, in the zone of the recipient, over the switch in spring',
    { cron: '0 9 * * *' },
    'Europe/Berlin',
    '2026-03-27T12:00Z',
    ['2026-03-28T08:00Z', '2026-03-29T07:00Z'],
  ],
  [
    'cron over the switch in autumn',
    { cron: '0 9 * * *' },
    'America/New_York',
    '2026-10-31T01:00Z',
    ['2026-10-31T13:00Z', '2026-11-01T14:00Z'],
  ],
  [
    'its own zone goes before that of the recipient',
    { cron: '0 9 * * *', timezone: 'Asia/Tokyo' },
    'Europe/Berlin',
    '2026-11-20T12:00Z',
    ['2026-11-21T00:00Z'],
  ],
  ['without any zone it is UTC', { cron: '0 9 * * *' }, undefined, '2026-11-20T12:00Z', ['2026-11-21T09:00Z']],
  [
    'cron at a time that is skipped comes at the end of the gap',
    { cron: '30 2 * * *' },
    'Europe/Berlin',
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  ],
  [
    'cron at a time that is repeated comes once',
    { cron: '30 2 * * *' },
    'Europe/Berlin',
    '2026-10-24T12:00Z',
    ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ],
  [
    'cron every half hour goes on through the repeated hour',
    { cron: '*/30 * * * *' },
    'Europe/Berlin',
    '2026-10-25T00:30Z',
    ['2026-10-25T01:00Z', '2026-10-25T01:30Z', '2026-10-25T02:00Z'],
  ],
  [
    'cron where half an hour is skipped',
    { cron: '15 2 * * *' },
    'Australia/Lord_Howe',
    '2026-10-03T12:00Z',
    ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
  ],
  [
    'cron where half an hour is repeated',
    { cron: '45 1 * * *' },
    'Australia/Lord_Howe',
    '2026-04-04T12:00Z',
    ['2026-04-04T14:45Z', '2026-04-05T15:15Z'],
  ],
  [
    'cron on Mondays',
    { cron: '0 9 * * MON' },
    'Europe/Berlin',
    '2026-11-20T12:00Z',
    ['2026-11-23T08:00Z', '2026-11-30T08:00Z'],
  ],
  ['cron by name', { cron: '@daily' }, 'Asia/Kolkata', '2026-11-20T12:00Z', ['2026-11-20T18:30Z']],
  ['cron on leap days', { cron: '0 0 29 2 *' }, 'UTC', '2026-11-20T12:00Z', ['2028-02-29T00:00Z', '2032-02-29T00:00Z']],
  ['a moment itself is not after it', { cron: '0 9 * * *' }, 'UTC', '2026-11-20T09:00Z', ['2026-11-21T09:00Z']],
  [
    'RRULE, over the switch in spring',
    { rrule: 'FREQ=DAILY;BYHOUR=9' },
    'Europe/Berlin',
    '2026-03-27T12:00Z',
    ['2026-03-28T08:00Z', '2026-03-29T07:00Z'],
  ],
  [
    'RRULE at a time that is skipped does not come that day',
    { rrule: 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30' },
    'Europe/Berlin',
    '2026-03-28T12:00Z',
    ['2026-03-30T00:30Z'],
  ],
  [
    'RRULE at a time that is repeated comes once',
    { rrule: 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30' },
    'Europe/Berlin',
    '2026-10-24T12:00Z',
    ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ],
  [
    'RRULE on Mondays and Wednesdays',
    { rrule: 'FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9' },
    'America/New_York',
    '2026-10-30T00:00Z',
    ['2026-11-02T14:00Z', '2026-11-04T14:00Z'],
  ],
  [
    'RRULE on the last working day of a month',
    { rrule: 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=16;BYMINUTE=30' },
    'Europe/Berlin',
    '2026-11-20T12:00Z',
    ['2026-11-30T15:30Z', '2026-12-31T15:30Z'],
  ],
  [
    'a weekly RRULE without a day is on Mondays, a monthly one on the first',
    { rrule: 'FREQ=WEEKLY;BYHOUR=9' },
    'UTC',
    '2026-11-20T12:00Z',
    ['2026-11-23T09:00Z'],
  ],
  ['a monthly one on the first', { rrule: 'FREQ=MONTHLY;BYHOUR=9' }, 'UTC', '2026-11-20T12:00Z', ['2026-12-01T09:00Z']],
  [
    'an RRULE with its own beginning and count ends',
    { rrule: 'DTSTART;TZID=Europe/Berlin:20261120T090000\nRRULE:FREQ=DAILY;COUNT=3' },
    'UTC',
    '2026-11-20T12:00Z',
    ['2026-11-21T08:00Z', '2026-11-22T08:00Z'],
  ],
  [
    'an RRULE leaves out what is excepted',
    { rrule: 'DTSTART:20261120T090000\nRRULE:FREQ=DAILY\nEXDATE;TZID=Europe/Berlin:20261121T090000' },
    'Europe/Berlin',
    '2026-11-20T12:00Z',
    ['2026-11-22T08:00Z'],
  ],
  ['an RRULE that is over', { rrule: 'FREQ=DAILY;UNTIL=20201026T000000Z' }, 'UTC', '2026-11-20T12:00Z', []],
]
for (const [name, recurrence, zone, after, expected] of cases) {
  test(name, () => assert.deepEqual(following(recurrence, zone, after, Math.max(expected.length, 1)), expected))
}

test('what was told before does not change what is told, in any order', () => {
  const nine = { cron: '0 9 * * *' }
  const told = [
    '2026-11-20T12:00Z',
    '2026-11-21T08:59Z',
    '2026-11-20T08:00Z',
    '2026-11-21T09:00Z',
    '2020-01-01T00:00Z',
  ].map((after) => following(nine, 'UTC', after, 1)[0])
  assert.deepEqual(told, [
    '2026-11-21T09:00Z',
    '2026-11-21T09:00Z',
    '2026-11-20T09:00Z',
    '2026-11-22T09:00Z',
    '2020-01-01T09:00Z',
  ])
  const first = nextOccurrence(nine, new Date('2026-11-20T12:00Z'), 'UTC')
  first?.setTime(0)
  assert.equal(following(nine, 'UTC', '2026-11-20T12:00Z', 1)[0], '2026-11-21T09:00Z')
})

const sound: Recurrence[] = [
  { cron: '0 9 * * 1-5', timezone: 'US/Eastern' },
  { cron: '  0   9 * * * ' },
  { cron: '0 0 L * *' },
  { cron: '@weekly' },
  { rrule: 'FREQ=DAILY' },
  { rrule: 'RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29' },
  { rrule: 'freq=weekly;byday=mo' },
  { rrule: 'DTSTART:20261120T090000Z\r\nRRULE:FREQ=DAILY;COUNT=3' },
]
for (const recurrence of sound) {
  test(`sound: ${JSON.stringify(recurrence)}`, () => assert.equal(recurrenceFault(recurrence), undefined))
}

const faults: [Recurrence, RegExp][] = [
  [{}, /exactly one of cron and rrule/],
  [{ cron: '0 9 * * *', rrule: 'FREQ=DAILY' }, /exactly one/],
  [{ cron: '0 9 * * *', timezone: 'Europe/Atlantis' }, /no IANA time zone/],
  [{ cron: '' }, /five fields/],
  [{ cron: '0 0 9 * * *' }, /five fields/],
  [{ cron: '60 9 * * *' }, /minute/],
  [{ cron: '*/0 * * * *' }, /stepping/],
  [{ cron: 'a b c d e' }, /./],
  [{ cron: '0 0 30 2 *' }, /never comes/],
  [{ cron: `0 9 ${'1,'.repeat(200)}1 * *` }, /longer than 200/],
  [{ rrule: '' }, /one rule/],
  [{ rrule: 'BYHOUR=9' }, /needs FREQ/],
  [{ rrule: 'FREQ=FORTNIGHTLY' }, /FREQ that is none/],
  [{ rrule: 'FREQ=SECONDLY' }, /every second/],
  [{ rrule: 'FREQ=DAILY;BYHOUR=25' }, /BYHOUR/],
  [{ rrule: 'FREQ=YEARLY;INTERVAL=1000' }, /INTERVAL/],
  [{ rrule: 'FREQ=DAILY;INTERVAL=10000' }, /INTERVAL/],
  [{ rrule: 'FREQ=YEARLY;BYHOUR=8,9,10,11,12,13,14;BYMINUTE=0,30;BYDAY=MO,TU,WE,TH,FR,SA,SU' }, /more than 12 times/],
  [{ rrule: 'FREQ=DAILY;BYHOUR=9;BYHOUR=10' }, /twice/],
  [{ rrule: 'FREQ=DAILY;INTERVAL=0' }, /INTERVAL/],
  [{ rrule: 'FREQ=DAILY;BYSECOND=30' }, /unknown/],
  [{ rrule: 'FREQ=DAILY;__proto__=1' }, /unknown/],
  [{ rrule: 'RSCALE=HEBREW;FREQ=YEARLY' }, /unknown/],
  [{ rrule: 'FREQ=DAILY;COUNT=3' }, /DTSTART with COUNT/],
  [{ rrule: 'DTSTART:20261120T090000\nRRULE:FREQ=DAILY;COUNT=3;UNTIL=20261201' }, /COUNT and UNTIL/],
  [{ rrule: 'RRULE:FREQ=DAILY\nRRULE:FREQ=WEEKLY' }, /one rule/],
  [{ rrule: 'RRULE:FREQ=DAILY\nSUMMARY:lunch' }, /line that is none/],
  [{ rrule: 'DTSTART;TZID=Europe/Atlantis:20261120T090000\nRRULE:FREQ=DAILY' }, /not an RRULE/],
  [{ rrule: 'DTSTART:99999999T999999\nRRULE:FREQ=DAILY' }, /not an RRULE/],
  [{ rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' }, /never comes/],
  [{ rrule: 'FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30' }, /never comes/],
  [{ rrule: `FREQ=DAILY;BYHOUR=${'9,'.repeat(600)}9` }, /longer than 1,000/],
]
for (const [recurrence, message] of faults) {
  test(`faulty: ${JSON.stringify(recurrence).slice(0, 90)}`, () => {
    const begun = performance.now()
    assert.match(recurrenceFault(recurrence) ?? '', message)
    assert.ok(performance.now() - begun < 2_000)
  })
}
