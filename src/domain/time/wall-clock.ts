import { stretchAt } from './zone.ts'

export const minuteMs = 60_000
export const dayMs = 86_400_000

/** Minutes since midnight of HH:MM, 24:00 being the end of a day; undefined for anything else. */
export function minutesOf(text: string): number | undefined {
  if (text.length !== 5 || text[2] !== ':') return undefined
  const hours = twoDigits(text, 0)
  const minutes = twoDigits(text, 3)
  const total = hours * 60 + minutes
  return minutes < 60 && total <= 1440 ? total : undefined
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN
}

/** The wall clock of a zone as a number: what Date.UTC gives for the date and time that people there read. */
export function wallTime(zone: string, time: number): number {
  return time + stretchAt(zone, time).offset
}

/** The day of the week of a wall time: 1 Monday … 7 Sunday. */
export function weekdayOf(wall: number): number {
  const days = Math.floor(wall / dayMs) + 3 // 1970-01-01 was a Thursday
  return (((days % 7) + 7) % 7) + 1
}

/** HH:MM of a wall time. */
export function clockText(wall: number): string {
  const minutes = Math.floor((wall - Math.floor(wall / dayMs) * dayMs) / minuteMs)
  const hours = Math.floor(minutes / 60)
  return `${String(hours).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

/**
 * The moments at which the clocks of a zone show a wall time, in order: two where the hour is repeated. Where the clocks
 * skip it, the one moment that the offset before the gap gives, as RFC 5545 says (02:30 is then 03:30).
 */
export function momentsOf(zone: string, wall: number): number[] {
  const before = stretchAt(zone, wall - dayMs).offset
  const after = stretchAt(zone, wall + dayMs).offset
  const early = wall - before
  if (before === after) return [early]
  const late = wall - after
  const moments: number[] = []
  if (stretchAt(zone, early).offset === before) moments.push(early)
  if (stretchAt(zone, late).offset === after) moments.push(late)
  return moments.length === 0 ? [early] : moments.sort((a, b) => a - b)
}

/** The first moment at or after `from` at which the clocks of a zone show so many minutes since midnight. */
export function nextLocalTime(zone: string, minutes: number, from: number): number {
  const today = Math.floor(wallTime(zone, from) / dayMs)
  for (let day = today - 1; day <= today + 3; day++) {
    const moment = momentsOf(zone, day * dayMs + minutes * minuteMs).find((one) => one >= from)
    if (moment !== undefined) return moment
  }
  return from + dayMs
}
