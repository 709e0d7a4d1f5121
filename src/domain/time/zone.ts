import { Temporal } from 'temporal-polyfill'

/** A stretch of time in which a zone keeps one offset, in epoch milliseconds. */
export interface Stretch {
  /** The earliest moment of it that was asked for; it may have begun before. */
  from: number
  /** The moment of the next change. */
  to: number
  /** Milliseconds that the wall clock is ahead of UTC. */
  offset: number
}

// Zones are few and change twice a year, so wall clocks are told by adding a number. Names come from users: the maps are bounded.
const maxZones = 2_000
const maxStretches = 8
const stretchesOf = new Map<string, Stretch[]>()
const notZones = new Set<string>()
// Temporal takes whole moments in place of a zone.
const looksLikeZone = /^(?:[A-Za-z][A-Za-z0-9_+/-]*|[+-]\d\d(?::?\d\d)?)$/

/** Whether it names a time zone: IANA names, old ones too (US/Eastern, Asia/Calcutta), and offsets (+02:00). */
export function isTimeZone(name: string): boolean {
  if (stretchesOf.has(name)) return true
  if (name.length > 100 || !looksLikeZone.test(name) || notZones.has(name)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
  } catch {
    if (notZones.size >= maxZones) notZones.clear()
    notZones.add(name)
    return false
  }
  if (stretchesOf.size >= maxZones) stretchesOf.clear()
  stretchesOf.set(name, [])
  return true
}

/** The first of the names that is a zone, else UTC. */
export function usableZone(...names: (string | undefined)[]): string {
  for (const name of names) if (name !== undefined && isTimeZone(name)) return name
  return 'UTC'
}

/** The stretch in which a moment lies. Throws a RangeError for what isTimeZone refuses. */
export function stretchAt(zone: string, time: number): Stretch {
  const known = stretchesOf.get(zone)
  if (known) for (const stretch of known) if (stretch.from <= time && time < stretch.to) return stretch
  if (!isTimeZone(zone)) throw new RangeError('not a time zone')
  const found = findStretch(zone, time)
  const stretches = stretchesOf.get(zone)!
  const later = stretches.find(({ to, offset }) => to === found.to && offset === found.offset)
  if (later !== undefined) {
    later.from = time
    return later
  }
  if (stretches.unshift(found) > maxStretches) stretches.pop()
  return found
}

/** Where it began is not looked for: that is ten times the work, and back to 1945 in zones that never change. */
function findStretch(zone: string, time: number): Stretch {
  const there = Temporal.Instant.fromEpochMilliseconds(Math.floor(time)).toZonedDateTimeISO(zone)
  return {
    from: time,
    to: there.getTimeZoneTransition('next')?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offset: there.offsetNanoseconds / 1_000_000,
  }
}
