import { Cron } from 'croner'
import { RRuleTemporal } from 'rrule-temporal'
import { Temporal } from 'temporal-polyfill'
import type { Recurrence } from '../schedule.ts'
import { rruleFault } from './rrule-fault.ts'
import { isTimeZone, usableZone } from './zone.ts'

// A Monday that is the first day of a month and of a year, so that a rule that names no day takes the first one.
const anchor = '1973-01-01T00:00:00'

interface Series {
  /** The first moment strictly after another. */
  after(time: Date): Date | undefined
  /** The last answer: it holds for all moments from `asked` to before `next`. */
  asked?: number
  next?: Date
}

const maxSeries = 5_000
const series = new Map<string, Series>()

/**
 * The first moment of a recurrence strictly after another; undefined where there is none left. A zone that the recurrence
 * does not name is `fallbackZone`, or UTC where that is none. A daily moment that the clocks skip is, with cron, the end of
 * the gap, and with an RRULE none (RFC 5545); one that they show twice is the first. Throws for what recurrenceFault refuses.
 */
export function nextOccurrence(recurrence: Recurrence, after: Date, fallbackZone?: string): Date | undefined {
  const zone = usableZone(recurrence.timezone, fallbackZone)
  const key = `${zone} ${recurrence.cron ?? ''}\n${recurrence.rrule ?? ''}`
  let found = series.get(key)
  if (found === undefined) {
    found =
      recurrence.cron === undefined ? rruleSeries(recurrence.rrule ?? '', zone) : cronSeries(recurrence.cron, zone)
    if (series.size >= maxSeries) series.clear()
    series.set(key, found)
  }
  const time = after.getTime()
  const holds = found.asked !== undefined && found.asked <= time && (!found.next || time < found.next.getTime())
  if (!holds) {
    found.next = found.after(after)
    found.asked = time
  }
  return found.next && new Date(found.next)
}

/** What is wrong with a recurrence, as the end of a sentence; undefined: nothing. Ask it before one is stored. */
export function recurrenceFault(recurrence: Recurrence): string | undefined {
  const { cron, rrule, timezone } = recurrence
  if ((cron === undefined) === (rrule === undefined)) return 'needs exactly one of cron and rrule'
  if (timezone !== undefined && !isTimeZone(timezone)) return 'names no IANA time zone'
  const fault = cron === undefined ? rruleFault(rrule!) : cronFault(cron)
  if (fault) return fault
  try {
    if (nextOccurrence({ ...recurrence, timezone: 'UTC' }, new Date(0))) return undefined
  } catch {
    return cron === undefined ? 'is not an RRULE' : 'is not a cron expression'
  }
  return 'never comes'
}

const cronNames: Record<string, string> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
}

function cronFault(cron: string): string | undefined {
  if (cron.length > 200) return 'is longer than 200 characters'
  const fields = (cronNames[cron.trim().toLowerCase()] ?? cron).trim().split(/\s+/)
  if (fields.length !== 5) return 'is not a cron expression of five fields'
  try {
    new Cron(fields.join(' '), { paused: true, mode: '5-part' })
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : 'is not a cron expression'
  }
  return undefined
}

function cronSeries(cron: string, zone: string): Series {
  const text = cronNames[cron.trim().toLowerCase()] ?? cron.trim().replace(/\s+/g, ' ')
  const pattern = new Cron(text, { paused: true, mode: '5-part', timezone: zone })
  return { after: (time) => pattern.nextRun(time) ?? undefined }
}

function rruleSeries(rrule: string, zone: string): Series {
  const rule = new RRuleTemporal({
    rruleString: rrule.trim(),
    tzid: zone,
    ...(/^DTSTART/im.test(rrule) ? {} : { dtstart: Temporal.ZonedDateTime.from(`${anchor}[${zone}]`) }),
  })
  return {
    after(time) {
      try {
        const next = rule.next(time)
        return next ? new Date((next as Temporal.ZonedDateTime).epochMilliseconds) : undefined
      } catch (error) {
        // A rule that matches nothing for so long that the library gives up.
        if (error instanceof Error && /exceeded/i.test(error.message)) return undefined
        throw error
      }
    },
  }
}
