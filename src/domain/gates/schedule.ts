import { dayMs, minutesOf, nextLocalTime } from '../time/wall-clock.ts'
import { usableZone } from '../time/zone.ts'
import type { Asked } from './asked.ts'
import type { Hurdle } from './wait.ts'

// A moment that no calendar has must not stop a chunk.
const longestMs = 3_660 * dayMs

/**
 * When a rule or request wants it sent. It is reckoned from when it was accepted, so that deciding anew gives the same
 * moment, or that of a changed zone.
 */
export function schedule(asked: Asked): Hurdle | undefined {
  const said = asked.want.schedule
  const minutes = said?.localTime === undefined ? undefined : minutesOf(said.localTime)
  const delayMs = said?.delayMs && Math.min(said.delayMs, longestMs)
  if (said === undefined || (minutes === undefined && !delayMs)) return undefined
  let due = asked.want.acceptedAt.getTime() + (delayMs ?? 0)
  const inputs: Record<string, unknown> = { accepted_at: asked.want.acceptedAt.toISOString() }
  if (delayMs) inputs.delay_ms = delayMs
  if (minutes !== undefined) {
    const zone = usableZone(said.timezone, asked.person.timezone, asked.settings.timezone)
    due = nextLocalTime(zone, minutes % 1440, due)
    inputs.local_time = said.localTime
    inputs.timezone = zone
  }
  return { gate: 'schedule', reason: 'scheduled', inputs, opens: (time) => Math.max(time, due) }
}
