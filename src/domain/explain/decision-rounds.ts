import type { Channel } from '../channel.ts'
import { type GateReason, type GateVerdict, gateReasons, gates } from '../decision.ts'
import type { DecisionLine } from '../decision-line.ts'
import { channelOf } from '../ids.ts'
import type { NotificationStory, StoryEvent } from './story.ts'

/** What was decided of a notification at one moment: when it was planned, and each time that something of it had waited. */
export interface Round {
  at: Date
  /** planned: the first; again: what had waited; stopped: somebody said something, and no gate was asked. */
  kind: 'planned' | 'again' | 'stopped'
  lines: DecisionLine[]
}

/** The last word of an event's type. */
export const wordOf = ({ type }: Pick<StoryEvent, 'type'>): string => type.slice(type.lastIndexOf('.') + 1)

/** An event of the notification itself; of a delivery its id says the channel. */
export const channelOfEvent = ({ subjectId }: Pick<StoryEvent, 'subjectId'>): Channel | undefined =>
  subjectId.endsWith('00') ? undefined : channelOf(subjectId)

export function gateOf(reason: string): (typeof gates)[number] | undefined {
  return gates.find((gate) => (gateReasons[gate] as readonly string[]).includes(reason))
}

const stateOf: Readonly<Record<string, string>> = { requested: 'queued' }
const ofDelivery = new Set(['requested', 'suppressed', 'snoozed', 'expired', 'sent'])
const ofNotification = new Set(['suppressed', 'expired', 'failed'])

/** An event that a decision led to: not one of an attempt, and not that a fallback's turn has come. */
function isOfDecision(event: StoryEvent): boolean {
  if (event.data.attempt !== undefined || event.data.fallback === true) return false
  return (channelOfEvent(event) ? ofDelivery : ofNotification).has(wordOf(event))
}

/**
 * The decisions of a notification in order. Where no gate had anything to look at nothing was kept, and the events say what
 * was decided; what they say without a decision was stopped by what somebody said meanwhile.
 */
export function roundsOf(story: Pick<NotificationStory, 'id' | 'recipientId' | 'events' | 'decisions'>): Round[] {
  const kept = Map.groupBy(story.decisions, ({ batch }) => batch)
  const told = Map.groupBy(story.events.filter(isOfDecision), ({ batch }) => batch)
  const batches = [...new Set([...kept.keys(), ...told.keys()])]
  const atOf = (batch: string) => (kept.get(batch)?.[0] ?? told.get(batch)![0]!).at
  batches.sort((a, b) => atOf(a).getTime() - atOf(b).getTime() || (a < b ? -1 : 1))
  return batches.map((batch, place): Round => {
    const lines = kept.get(batch)?.map(({ line }) => line)
    const kind = place === 0 ? 'planned' : 'again'
    if (lines) return { at: atOf(batch), kind, lines }
    const line = lineOf(story, told.get(batch)!)
    return { at: atOf(batch), kind: place > 0 && line.reason ? 'stopped' : kind, lines: [line] }
  })
}

function lineOf(story: Pick<NotificationStory, 'id' | 'recipientId'>, events: readonly StoryEvent[]): DecisionLine {
  const line: DecisionLine = { id: story.id, recipient_id: story.recipientId, deliveries: [], steps: [] }
  for (const event of events) {
    const channel = channelOfEvent(event)
    const word = wordOf(event)
    const reason = typeof event.data.reason === 'string' ? event.data.reason : undefined
    if (channel) line.deliveries.push({ channel, state: stateOf[word] ?? word, reason })
    else line.outcome = word as DecisionLine['outcome']
    if (!reason) continue
    line.reason = reason as GateReason
    const gate = gateOf(reason)
    if (gate) line.steps.push({ gate, channel, verdict: verdicts[word] ?? 'suppress', reason: line.reason })
  }
  return line
}

const verdicts: Readonly<Record<string, GateVerdict>> = { expired: 'expire', failed: 'fail', snoozed: 'snooze' }
