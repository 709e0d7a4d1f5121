const frequencies = ['YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY']
const weekday = '(?:MO|TU|WE|TH|FR|SA|SU)'
const moment = '\\d{8}(?:T\\d{6}Z?)?'

/** The lines that a recurrence may have beside its rule, as RFC 5545 writes them. */
const dateLine = new RegExp(`^(?:DTSTART|EXDATE|RDATE)(?:;TZID=[A-Za-z0-9_+/-]+)?:${moment}(?:,${moment})*$`, 'i')

/** Numbers from 1 (or 0) to a bound, or so many from the end. */
const numbers =
  (least: number, most: number, fromEnd = false) =>
  (value: string) =>
    value.split(',').every((one) => {
      if (!/^[+-]?\d{1,5}$/.test(one)) return false
      const number = Number(one)
      return (number >= least && number <= most) || (fromEnd && number <= -1 && number >= -most)
    })
const matching = (pattern: RegExp) => (value: string) => pattern.test(value)

const parts: Record<string, (value: string) => boolean> = {
  FREQ: (value) => frequencies.includes(value),
  INTERVAL: numbers(1, 1_000),
  COUNT: numbers(1, 10_000),
  UNTIL: matching(new RegExp(`^${moment}$`)),
  BYMINUTE: numbers(0, 59),
  BYHOUR: numbers(0, 23),
  BYDAY: matching(new RegExp(`^(?:[+-]?\\d{1,2})?${weekday}(?:,(?:[+-]?\\d{1,2})?${weekday})*$`)),
  BYMONTHDAY: numbers(1, 31, true),
  BYYEARDAY: numbers(1, 366, true),
  BYWEEKNO: numbers(1, 53, true),
  BYMONTH: numbers(1, 12),
  BYSETPOS: numbers(1, 366, true),
  WKST: matching(new RegExp(`^${weekday}$`)),
}

/** The library makes all times of a period before it looks at one: half a minute for each minute of a year. */
const mostTimesADay: Readonly<Record<string, number>> = { YEARLY: 12, MONTHLY: 240 }
const mostYears = 100

/** What is wrong with an RRULE, as the end of a sentence. The library passes over what it does not know, so it is read here. */
export function rruleFault(rrule: string): string | undefined {
  if (rrule.length > 1_000) return 'is longer than 1,000 characters'
  const lines = rrule.trim().split(/\r?\n/)
  const rules = lines.filter((line) => /^(?:RRULE:|FREQ=)/i.test(line) || /^[A-Z]+=/i.test(line))
  if (rules.length !== 1) return 'needs exactly one rule (FREQ=…)'
  const dates = lines.filter((line) => line !== rules[0])
  const strange = dates.find((line) => !dateLine.test(line))
  if (strange !== undefined) return 'has a line that is none of DTSTART, RRULE, RDATE and EXDATE'
  if (dates.length > 0 && !rules[0]!.toUpperCase().startsWith('RRULE:')) return 'needs RRULE: before its rule'
  return ruleFault(rules[0]!.toUpperCase().replace(/^RRULE:/, ''), dates)
}

function ruleFault(rule: string, dates: readonly string[]): string | undefined {
  const seen = new Map<string, string>()
  for (const part of rule.split(';')) {
    const [name = '', value = '', ...rest] = part.split('=')
    if (name === 'FREQ' && value === 'SECONDLY') return 'comes every second: the shortest is MINUTELY'
    if (!Object.hasOwn(parts, name)) return 'has a part that is unknown'
    if (seen.has(name)) return `has ${name} twice`
    if (rest.length > 0 || !parts[name]!(value)) return `has a ${name} that is none`
    seen.set(name, value)
  }
  const frequency = seen.get('FREQ')
  if (frequency === undefined) return 'needs FREQ'
  if (frequency === 'YEARLY' && Number(seen.get('INTERVAL') ?? 1) > mostYears) return 'has an INTERVAL that is none'
  const count = (name: string) => (seen.get(name) ?? '0').split(',').length
  const most = mostTimesADay[frequency] ?? Number.POSITIVE_INFINITY
  if (count('BYHOUR') * count('BYMINUTE') > most)
    return `comes more than ${most} times a day: that needs FREQ=DAILY or WEEKLY`
  if (seen.has('COUNT') && seen.has('UNTIL')) return 'has COUNT and UNTIL, of which there may be one'
  if (seen.has('COUNT') && !dates.some((line) => /^DTSTART/i.test(line))) return 'needs DTSTART with COUNT'
  return undefined
}
