import { priorities } from '../priority.ts'
import { firstOutside, spanOf } from '../time/span.ts'
import { usableZone } from '../time/zone.ts'
import type { Asked } from './asked.ts'
import { clockAt, type Hurdle } from './wait.ts'

/** The person's quiet hours, or the tenant's for people who said nothing of theirs. */
export function quietHours(asked: Asked): Hurdle | undefined {
  const { person, defaults, settings, want } = asked
  if (person.type === 'system') return undefined
  const own = person.preferences?.said.quietHours
  const said = own ?? defaults?.said.quietHours
  if (!said?.enabled) return undefined
  const zone = usableZone(said.timezone, person.timezone, settings.timezone)
  const span = spanOf(said, zone)
  if (span === undefined) return undefined
  const inputs: Record<string, unknown> = {
    start_time: said.startTime,
    end_time: said.endTime,
    timezone: zone,
    local_time: clockAt(zone, asked.now),
    by: own ? 'recipient' : 'defaults',
  }
  if (said.days && said.days.length > 0) inputs.days = said.days
  if (said.allowCritical && want.priority >= priorities.CRITICAL) {
    return {
      gate: 'quiet_hours',
      reason: 'quiet_hours',
      inputs: { ...inputs, allow_critical: true },
      opens: (time) => time,
    }
  }
  return {
    gate: 'quiet_hours',
    reason: 'quiet_hours',
    inputs,
    opens: (time, horizon) => firstOutside(span, time, horizon),
  }
}
