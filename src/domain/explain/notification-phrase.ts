import type { Channel } from '../channel.ts'
import type { DecisionLine } from '../decision-line.ts'
import { type NotificationStatus, notificationStatus } from '../notification-status.ts'
import { gateOf, type Round, roundsOf } from './decision-rounds.ts'
import type { ExplanationOutcome } from './explanation.ts'
import { clauseOf, type Said } from './reason-clauses.ts'
import type { AttemptStory, DeliveryStory, NotificationStory } from './story.ts'

/** What became of one notification: a word, and a phrase that makes a sentence with a capital and a full stop. */
export interface Phrase {
  outcome: ExplanationOutcome
  text: string
}

type Lines = readonly DecisionLine[]

export function phraseOf(story: NotificationStory, rounds: readonly Round[] = roundsOf(story)): Phrase {
  const lines = rounds.flatMap((round) => round.lines).toReversed() // the last word counts
  const status = notificationStatus(story.outcome, story.deliveries, story.reason)
  const who = whoOf(story, lines)
  if (story.digest || story.reason === 'digested' || story.reason === 'digest') return folded(story, who, lines)
  const phrase = byStatus[status](story, who, lines)
  const rest = phrase.aside === undefined ? asideOf(story, phrase.told, lines) : phrase.aside
  return { outcome: phrase.outcome, text: phrase.text + rest }
}

function whoOf({ recipientId, rule }: NotificationStory, lines: Lines): string {
  const name = rule?.name ?? lines.find((line) => line.rule)?.rule?.name
  return name === undefined ? recipientId : `${recipientId} (rule “${name}”)`
}

interface Told extends Phrase {
  /** Deliveries that the phrase has told of; the others follow. */
  told: readonly DeliveryStory[]
  aside?: string
}
type Teller = (story: NotificationStory, who: string, lines: Lines) => Told

const iso = (at: Date | null | undefined) => at?.toISOString() ?? ''
const isState =
  (...states: string[]) =>
  ({ state }: DeliveryStory) =>
    states.includes(state)
const channelsOf = (deliveries: readonly DeliveryStory[]) => deliveries.map(({ channel }) => channel).join(', ')
const reaching = ({ deliveries }: NotificationStory) => {
  const others = deliveries.filter(({ channel }) => channel !== 'audit')
  return others.length > 0 ? others : deliveries
}

const reached =
  (outcome: 'sent' | 'delivered'): Teller =>
  (story, who) => {
    const told = reaching(story).filter(isState(outcome))
    const [first] = told
    const at = iso(outcome === 'delivered' ? first?.deliveredAt : first?.sentAt)
    return { outcome, told, text: `${outcome} to ${who}${told.length > 0 ? ` by ${channelsOf(told)} at ${at}` : ''}` }
  }

const underWay =
  (state: 'queued' | 'sending', how: string): Teller =>
  (story, who) => {
    const told = reaching(story).filter(isState(state, ...(state === 'queued' ? ['held'] : [])))
    return { outcome: 'waiting', told, text: `${how} to ${who} by ${channelsOf(told)}` }
  }

const byStatus: Record<NotificationStatus, Teller> = {
  delivered: reached('delivered'),
  sent: reached('sent'),
  queued: underWay('queued', 'waits in the queue to be sent'),
  sending: underWay('sending', 'is being sent'),
  pending: (_story, who) => ({ outcome: 'waiting', told: [], text: `waits to be decided for ${who}` }),
  retrying(story, who) {
    const told = reaching(story).filter(isState('retrying'))
    const [first] = told
    const why = first ? failureOf(story, first) : ''
    return {
      outcome: 'waiting',
      told,
      text: `waits until ${iso(first?.nextAttemptAt)} for another attempt to ${who} by ${channelsOf(told)}: ${why}`,
    }
  },
  scheduled(story, who, lines) {
    const told = reaching(story).filter(isState('snoozed'))
    const [first] = told.toSorted((a, b) => (a.until?.getTime() ?? 0) - (b.until?.getTime() ?? 0))
    const outcome = first?.reason === 'scheduled' ? 'scheduled' : 'waiting'
    const why = clausesOf(story, told, lines)
    return {
      outcome,
      told,
      text: `waits until ${iso(first?.until)} to be sent to ${who} by ${channelsOf(told)}${why && `: ${why}`}`,
    }
  },
  suppressed: (story, who, lines) => stopped('suppressed', story, `not sent to ${who}`, lines),
  expired: (story, who, lines) => stopped('expired', story, `not sent to ${who}`, lines),
  cancelled(story, who) {
    const told = story.deliveries
    return { outcome: 'cancelled', told, text: `cancelled before it was sent to ${who}`, aside: '' }
  },
  failed(story, who, lines) {
    if (story.outcome) return stopped('failed', story, `failed for ${who}`, lines)
    const told = reaching(story).filter(isState('failed', 'bounced'))
    const why = told.map((delivery) => `${delivery.channel}: ${failureOf(story, delivery)}`).join('; ')
    return { outcome: 'failed', told, text: why ? `failed for ${who}: ${why}` : `not sent to ${who}` }
  },
}

/** Ended before anything was tried. */
function stopped(outcome: ExplanationOutcome, story: NotificationStory, what: string, lines: Lines): Told {
  const told = reaching(story)
  const clauses = told.length > 0 ? clausesOf(story, told, lines) : ''
  return {
    outcome,
    told,
    text: `${what}: ${clauses || clauseOf(story.reason ?? outcome, saidOf(story, lines, story.reason))}`,
  }
}

/** Why these deliveries wait or were stopped; each clause once, with its channels where it is not the word of all. */
function clausesOf(story: NotificationStory, deliveries: readonly DeliveryStory[], lines: Lines): string {
  const channels = new Map<string, Channel[]>()
  for (const { channel, reason } of deliveries) {
    if (reason === null) continue
    const clause = clauseOf(reason, saidOf(story, lines, reason, channel))
    channels.set(clause, [...(channels.get(clause) ?? []), channel])
  }
  const all = [...channels].map(([clause, of]) =>
    isOfChannel(clause, deliveries) ? `${of.join(', ')}: ${clause}` : clause,
  )
  return all.join('; ')
}

const aboutChannels = /the channel|^no address|^the address/
const isOfChannel = (clause: string, deliveries: readonly DeliveryStory[]) =>
  aboutChannels.test(clause) || new Set(deliveries.map(({ reason }) => reason)).size > 1

/** The step that gave a reason: of this channel, else of all. */
function saidOf(story: NotificationStory, lines: Lines, reason: string | null, channel?: Channel): Said | undefined {
  const steps = lines.flatMap((line) => line.steps).filter((step) => step.reason === reason)
  const found = steps.find((step) => step.channel === channel) ?? steps.find((step) => !step.channel || !channel)
  // Of what expired in the queue no gate has said anything.
  return found ?? (reason === 'expired' ? { inputs: { expires_at: iso(story.expiresAt) } } : undefined)
}

/** The last attempt of a delivery, in its own words, which are scrubbed. */
function failureOf(story: NotificationStory, { channel, reason, attempt }: DeliveryStory): string {
  const last = story.attempts.findLast((one) => one.channel === channel)
  const tries = attempt === 1 ? 'attempt 1' : `${attempt} attempts`
  return last ? `${tries} failed with ${nameOf(last, reason)}` : (reason ?? 'it failed')
}

const nameOf = ({ reason, detail }: AttemptStory, ofDelivery: string | null) => {
  const name = reason ?? ofDelivery ?? 'no answer'
  return detail && detail !== name ? `${name} (${detail})` : name
}

/** What became of the other channels. */
function asideOf(story: NotificationStory, told: readonly DeliveryStory[], lines: Lines): string {
  const rest = reaching(story).filter((delivery) => !told.includes(delivery))
  const parts = rest.flatMap((delivery) => {
    const { channel, state, reason } = delivery
    if (state === 'held') return []
    if (state === 'failed' || state === 'bounced') return [`${channel} failed: ${failureOf(story, delivery)}`]
    const gate = reason === null ? undefined : gateOf(reason)
    if (gate)
      return [
        `${state === 'snoozed' ? 'still to come' : 'not'} by ${channel}: ${clauseOf(reason!, saidOf(story, lines, reason, channel))}`,
      ]
    return [`${channel} is ${state}`]
  })
  return parts.length > 0 ? `; ${parts.join('; ')}` : ''
}

function folded(story: NotificationStory, who: string, lines: Lines): Phrase {
  const { digest, outcome, reason } = story
  const name = digest ? `${digest.kind === 'group' ? 'alert group' : 'digest'} ${digest.id}` : 'a digest'
  if (outcome === null) {
    const when = digest ? `, which goes out at ${iso(digest.closesAt)}` : ''
    return { outcome: 'folded', text: `folded for ${who} into ${name}${when}` }
  }
  if (outcome === 'sent') {
    const sent = digest?.notification
    const as = sent ? `, which went out as notification ${sent.id} (${sent.status})` : ', which has gone out'
    return { outcome: 'folded', text: `folded for ${who} into ${name}${as}` }
  }
  if (outcome === 'cancelled') return { outcome, text: `cancelled for ${who} while it waited in ${name}` }
  const why = clauseOf(reason ?? outcome, saidOf(story, lines, reason))
  return { outcome, text: `not sent to ${who} when ${name} was closed: ${why}` }
}
