import type { Channel } from '../channel.ts'
import { isLetThrough } from './verdict.ts'

/** Whose notification of what: rules notify each by itself. */
export interface Place {
  intentId: string
  /** Absent: of a request. */
  ruleId?: string
  recipientId: string
}

/** One notification as it would have been decided. Names ids alone: no address, no content. */
export interface Judged extends Place {
  rule?: string
  eventId?: string
  type: string
  at: Date
  verdict: string
  channels: readonly Channel[]
}

/** What was really let through of one intent: how many, and the first of them by name. */
export interface Really {
  total: number
  named: Map<string, string>
}

/** An example, as it is shown. */
export type Example = Record<string, unknown>

export interface Tally {
  events: number
  matched: number
  recipients: number
  byVerdict: Record<string, number>
  /** Some of each verdict. */
  examples: Record<string, Example[]>
  newlySentCount: number
  newlySent: Example[]
  noLongerSentCount: number
  noLongerSent: Example[]
  /** Events on which an expression of a rule failed, by rule, part and code. */
  faults: Record<string, number>
}

export const emptyTally = (): Tally => ({
  events: 0,
  matched: 0,
  recipients: 0,
  byVerdict: {},
  examples: {},
  newlySentCount: 0,
  newlySent: [],
  noLongerSentCount: 0,
  noLongerSent: [],
  faults: {},
})

export const placeKey = ({ intentId, ruleId, recipientId }: Place): string =>
  `${intentId} ${ruleId ?? '-'} ${recipientId}`

/**
 * Counts one notification. `notificationId`: of the one that was really let through at this place; undefined: none was. It is
 * taken from what the intent still owes (`really`).
 */
export function count(
  tally: Tally,
  judged: Judged,
  really: Really | undefined,
  notificationId: string | undefined,
  most: number,
): void {
  const { verdict } = judged
  const isThrough = isLetThrough(verdict)
  tally.recipients++
  tally.byVerdict[verdict] = (tally.byVerdict[verdict] ?? 0) + 1
  const examples = tally.examples[verdict] ?? []
  tally.examples[verdict] = examples
  if (examples.length < most) examples.push(exampleOf(judged))
  if (isThrough && notificationId === undefined) {
    tally.newlySentCount++
    if (tally.newlySent.length < most) tally.newlySent.push(exampleOf(judged))
  }
  if (!really || notificationId === undefined) return
  really.named.delete(placeKey(judged))
  really.total--
  if (isThrough) return
  tally.noLongerSentCount++
  if (tally.noLongerSent.length < most) tally.noLongerSent.push({ ...exampleOf(judged), notificationId })
}

/** Counts what was really let through of an intent, and at whose place nothing was decided: nobody is named there any more. */
export function countLeft(
  tally: Tally,
  intent: { id: string; eventId?: string; type: string; at: Date; verdict: 'not_matched' | 'not_addressed' },
  really: Really,
  most: number,
): void {
  tally.noLongerSentCount += really.total
  for (const [key, notificationId] of really.named) {
    if (tally.noLongerSent.length >= most) return
    const recipientId = key.split(' ').slice(2).join(' ')
    const { id: intentId, eventId, type, at, verdict } = intent
    const event = { intentId, ...(eventId === undefined ? {} : { eventId }), type, at: at.toISOString() }
    tally.noLongerSent.push({ ...event, recipientId, verdict, notificationId })
  }
}

function exampleOf({ intentId, eventId, type, at, recipientId, rule, verdict, channels }: Judged): Example {
  return {
    intentId,
    ...(eventId === undefined ? {} : { eventId }),
    type,
    at: at.toISOString(),
    recipientId,
    ...(rule === undefined ? {} : { rule }),
    verdict,
    channels: channels.map((channel) => channel.toUpperCase()),
  }
}
