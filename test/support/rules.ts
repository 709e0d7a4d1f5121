/** Rules and events that pass, with what a test changes in them. */
import type { Rule } from '../../src/domain/rule.ts'
import type { EventIntent } from '../../src/pipeline/match/match-events.ts'

let count = 0

export function aRule(changes: Partial<Rule> = {}): Rule {
  count++
  return {
    id: `01900000-0000-7000-8000-${count.toString(16).padStart(12, '0')}`,
    name: `rule ${count}`,
    version: 1,
    eventPattern: '',
    priority: 1,
    channels: ['email'],
    selector: { userIds: ['ann'] },
    enabled: true,
    ...changes,
  }
}

export function anEvent(
  type: string,
  data: Record<string, unknown> = {},
  changes: Partial<EventIntent> = {},
): EventIntent {
  count++
  return {
    id: `01900000-0000-7000-9000-${count.toString(16).padStart(4, '0')}00000000`,
    type,
    priority: 1,
    eventId: `event-${count}`,
    acceptedAt: new Date('2026-01-15T10:00:00Z'),
    payload: { data, metadata: {}, event: { domain: type.split('.')[0]! } },
    ...changes,
  }
}
