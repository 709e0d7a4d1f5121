import type { SendWindow } from '../schedule.ts'
import { firstWithin, spanOf } from '../time/span.ts'
import { usableZone } from '../time/zone.ts'
import type { Asked } from './asked.ts'
import { clockAt, type Hurdle } from './wait.ts'

/** The windows in which the sender wants it to leave: those of the rule or request, and of the category. Both must be open. */
export function sendWindows(asked: Asked): Hurdle[] {
  const ofWant = asked.want.schedule?.sendWindow
  const ofCategory = asked.category?.sendWindow
  if (ofWant === undefined && ofCategory === undefined) return none
  return [hurdle(asked, ofWant, 'rule'), hurdle(asked, ofCategory, 'category')].filter((one) => one !== undefined)
}

const none: Hurdle[] = []

function hurdle(asked: Asked, window: SendWindow | undefined, by: 'rule' | 'category'): Hurdle | undefined {
  if (window === undefined) return undefined
  const zone = usableZone(window.timezone, asked.person.timezone, asked.settings.timezone)
  const span = spanOf(window, zone)
  if (span === undefined) return undefined
  const inputs: Record<string, unknown> = {
    start_time: window.startTime,
    end_time: window.endTime,
    timezone: zone,
    local_time: clockAt(zone, asked.now),
    by,
  }
  if (window.days && window.days.length > 0) inputs.days = window.days
  return {
    gate: 'send_window',
    reason: 'send_window',
    inputs,
    opens: (time, horizon) => firstWithin(span, time, horizon),
  }
}
