import { type CelFunc, CelScalar, celFunc, celMethod, objectType } from '@bufbuild/cel'
import { create } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { ExpressionError } from './expression-fault.ts'
import { spend } from './meter.ts'

const { INT, STRING } = CelScalar
const TIMESTAMP = objectType(TimestampSchema)
const DURATION = objectType(DurationSchema)

/** The wall clock of a zone as if it were UTC, so that no zone of this process is ever looked at. */
function wallClock(at: Timestamp, zone: string | undefined): Date {
  const ms = Number(at.seconds) * 1000 + Math.floor(at.nanos / 1_000_000)
  if (zone === undefined) return new Date(ms)
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone)
  if (fixed) {
    const minutes = Number(fixed[2]) * 60 + Number(fixed[3])
    return new Date(ms + (fixed[1] === '-' ? -minutes : minutes) * 60_000)
  }
  spend(20)
  const part: Record<string, number> = {}
  for (const { type, value } of formatOf(zone).formatToParts(ms)) part[type] = Number(value)
  const wall = new Date(0)
  wall.setUTCFullYear(part.year!, part.month! - 1, part.day!)
  wall.setUTCHours(part.hour!, part.minute!, part.second!, ((ms % 1000) + 1000) % 1000)
  return wall
}

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone)
  if (known) return known
  spend(500)
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      calendar: 'iso8601',
      hourCycle: 'h23',
      timeZone: zone,
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    if (formats.size >= 1000) formats.clear()
    formats.set(zone, format)
    return format
  } catch {
    throw new ExpressionError('conversion')
  }
}

function dayOfYear(date: Date): number {
  const first = new Date(0).setUTCFullYear(date.getUTCFullYear(), 0, 1)
  return Math.floor((date.getTime() - first) / 86_400_000)
}

const fields: Record<string, (date: Date) => number> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: dayOfYear,
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
}

/** The library's build on the zone of the process and make a format on each call; `timestamp(int)` counts seconds. */
export const timeFunctions: CelFunc[] = [
  ...Object.entries(fields).flatMap(([name, field]) => [
    celMethod(name, TIMESTAMP, [], INT, function () {
      return BigInt(field(wallClock(this.message, undefined)))
    }),
    celMethod(name, TIMESTAMP, [STRING], INT, function (zone) {
      return BigInt(field(wallClock(this.message, zone)))
    }),
  ]),
  celFunc('timestamp', [INT], TIMESTAMP, timestampOfSeconds),
  celFunc('duration', [INT], DURATION, durationOfSeconds),
]

function timestampOfSeconds(seconds: bigint): Timestamp {
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n) throw new ExpressionError('arithmetic')
  return create(TimestampSchema, { seconds })
}

function durationOfSeconds(seconds: bigint): Duration {
  if (seconds < -9_223_372_036n || seconds > 9_223_372_036n) throw new ExpressionError('arithmetic')
  return create(DurationSchema, { seconds })
}
