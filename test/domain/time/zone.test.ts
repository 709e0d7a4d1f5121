import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clockText, minutesOf, momentsOf, nextLocalTime, weekdayOf } from '../../../src/domain/time/wall-clock.ts'
import { isTimeZone, stretchAt, usableZone } from '../../../src/domain/time/zone.ts'

const names = [
  'Asia/Calcutta',
  'US/Eastern',
  'Europe/Kiev',
  'GB-Eire',
  'EST5EDT',
  'Etc/GMT+5',
  'GMT',
  'utc',
  '+02:00',
  '-0330',
]
for (const name of names) test(`${name} is a time zone`, () => assert.ok(isTimeZone(name)))

const others = [
  '',
  'Z',
  'Local',
  'constructor',
  'Europe/Atlantis',
  '2026-11-20T00:00Z',
  '2026-11-20T00:00[Europe/Berlin]',
]
for (const name of [...others, 'Europe/Berlin '.repeat(20)]) {
  test(`${JSON.stringify(name.slice(0, 40))} is none`, () => {
    assert.equal(isTimeZone(name), false)
    assert.throws(() => stretchAt(name, 0), RangeError)
  })
}

test('every zone that the platform knows is one', () => {
  assert.deepEqual(
    Intl.supportedValuesOf('timeZone').filter((name) => !isTimeZone(name)),
    [],
  )
})

test('the first usable name is taken, and UTC where there is none', () => {
  assert.equal(usableZone(undefined, 'Europe/Atlantis', 'Asia/Tokyo', 'Europe/Berlin'), 'Asia/Tokyo')
  assert.equal(usableZone(undefined, ''), 'UTC')
})

/** What Intl reads off the clocks of a zone. */
function wallReader(zone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (time) => {
    const part = Object.fromEntries(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]))
    return Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!)
  }
}

// Two switches a year, none, half an hour, two within weeks (Ramadan), a day that was skipped (Apia, 2011), politics.
const zones = [
  'Europe/Berlin',
  'Europe/Dublin',
  'America/New_York',
  'America/Santiago',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Antarctica/Troll',
  'Asia/Kolkata',
  'Asia/Tehran',
  'Africa/Cairo',
  'Africa/Casablanca',
  'Pacific/Apia',
]
for (const zone of zones) {
  test(`the clocks of ${zone} are read as Intl reads them, in any order`, () => {
    const read = wallReader(zone)
    const [first, last] = [Date.UTC(2011, 11, 1), Date.UTC(2031, 0, 1)]
    let seed = 7
    for (let count = 0; count < 4_000; count++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      const time = first + Math.floor((seed / 2_147_483_648) * ((last - first) / 60_000)) * 60_000
      assert.equal(time + stretchAt(zone, time).offset, read(time), new Date(time).toISOString())
    }
  })
}

test('times are HH:MM, and 24:00 the end of a day', () => {
  const read = ['00:00', '09:05', '23:59', '24:00', '24:01', '9:00', '09:60', '09-00', '09:00:00', 'ab:cd', '', '-1:00']
  const told = [0, 545, 1439, 1440, ...Array(8).fill(undefined)]
  assert.deepEqual(read.map(minutesOf), told)
})

test('weekdays and clocks of wall times, before 1970 too', () => {
  assert.equal(weekdayOf(Date.UTC(2026, 10, 20)), 5)
  assert.equal(weekdayOf(Date.UTC(2026, 10, 22, 23, 59)), 7)
  assert.equal(weekdayOf(Date.UTC(1969, 11, 31, 12)), 3)
  assert.equal(clockText(Date.UTC(1969, 11, 31, 7, 5)), '07:05')
})

const iso = (times: number[]) => times.map((time) => new Date(time).toISOString())

test('a wall time has one moment, two where it is repeated, and one after the gap where it is skipped', () => {
  const berlin = (...wall: [number, number, number, number, number]) =>
    iso(momentsOf('Europe/Berlin', Date.UTC(...wall)))
  assert.deepEqual(berlin(2026, 10, 20, 9, 0), ['2026-11-20T08:00:00.000Z'])
  assert.deepEqual(berlin(2026, 9, 25, 2, 30), ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z'])
  assert.deepEqual(berlin(2026, 2, 29, 2, 30), ['2026-03-29T01:30:00.000Z'])
  assert.deepEqual(berlin(2026, 2, 29, 3, 0), ['2026-03-29T01:00:00.000Z'])
})

test('a day that a zone has skipped is passed over', () => {
  const from = Date.UTC(2011, 11, 30, 9, 59)
  assert.deepEqual(iso([nextLocalTime('Pacific/Apia', 12 * 60, from)]), ['2011-12-30T22:00:00.000Z'])
})
