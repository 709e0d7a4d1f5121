import { Temporal } from 'temporal-polyfill'

/** A stretch of time in which a zone keeps one offset: from `from` to before `to`, in epoch milliseconds. */
export interface Stretch {
  from: number
  to: number
  /** Milliseconds that the wall clock is ahead of UTC. */
  offset: number
}

// Zones are few and change twice a year, so wall clocks are told by adding a number. Names come from users: the maps are bounded.
const maxZones = 2_000
const maxStretches = 8
const stretchesOf = new Map<string, Stretch[]>()
const notZones = new Set<string>()

/** Whether it names a time zone: IANA names, old ones too (US/Eastern, Asia/Calcutta), and offsets (+02:00). */
export function isTimeZone(name: string): boolean {
  if (stretchesOf.has(name)) return true
  if (name.length > 100 || notZones.has(name)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
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
  if (stretches.unshift(found) > maxStretches) stretches.pop()
  return found
}

function findStretch(zone: string, time: number): Stretch {
  const there = Temporal.Instant.fromEpochMilliseconds(Math.floor(time)).toZonedDateTimeISO(zone)
  // A transition at this very moment begins the stretch, and `previous` looks strictly before.
  const begun = there.add({ milliseconds: 1 }).getTimeZoneTransition('previous')
  const ends = there.getTimeZoneTransition('next')
  return {
    from: begun?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
    to: ends?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offset: there.offsetNanoseconds / 1_000_000,
  }
}
