import { type Category, undefinedCategory } from './category.ts'
import { type Channel, channels } from './channel.ts'
import type { Decision, GateReason, PlannedDelivery } from './decision.ts'
import { type Asked, type GateSettings, isOpen } from './gates/asked.ts'
import { consent } from './gates/consent.ts'
import { digest } from './gates/digest.ts'
import { hold } from './gates/hold.ts'
import { preference } from './gates/preference.ts'
import { recipient } from './gates/recipient.ts'
import { silence } from './gates/silence.ts'
import { suppression } from './gates/suppression.ts'
import { reachability, validity } from './gates/validity.ts'
import type { Person } from './person.ts'
import type { SaidPreferences } from './preferences.ts'
import type { Want } from './want.ts'

export type { GateSettings } from './gates/asked.ts'

/** What a tenant has set, beside the person's own. */
export interface DecisionSettings {
  settings: GateSettings
  categories: ReadonlyMap<string, Category>
  defaults?: SaidPreferences
}

/**
 * Runs the gates for one recipient, in their order, but for the limits, which count over many. Pure: the same values give
 * the same decision, now, in explain and in dry-run. It throws for nothing that is stored: a time or zone that cannot be
 * read is passed over.
 */
export function decide(want: Want, person: Person, on: DecisionSettings, now: Date): Decision {
  const asked: Asked = {
    want,
    person,
    settings: on.settings,
    category:
      want.category === undefined ? undefined : (on.categories.get(want.category) ?? undefinedCategory(want.category)),
    defaults: on.defaults,
    now,
    steps: [],
  }
  const { steps } = asked
  const silenced = silence(asked)
  if (silenced) return stopped(asked, silenced)
  const invalid = validity(asked)
  if (invalid) return { ...invalid, deliveries: [], steps }

  const deliveries = candidates(asked)
  const disabled = recipient(asked)
  if (disabled) return stopped(asked, disabled)
  suppression(asked, deliveries)
  consent(asked, deliveries)
  preference(asked, deliveries)
  const fold = digest(asked, deliveries)
  if (fold) return { fold, deliveries: [], steps }
  const isLate = hold(asked, deliveries)

  const planned = deliveries.filter(({ state, fallbackRank }) => fallbackRank === 0 || state !== 'suppressed')
  if (isLate && !planned.some(isOpen)) return { outcome: 'expired', reason: 'expired', deliveries: [], steps }
  if (planned.every(({ state }) => state === 'suppressed')) {
    return { outcome: 'suppressed', reason: planned[0]?.reason ?? 'no_address', deliveries: planned, steps }
  }
  return { deliveries: planned, steps }
}

/** Stopped on all channels at once. */
function stopped(asked: Asked, reason: GateReason): Decision {
  const deliveries = chosenChannels(asked).map(
    (channel): PlannedDelivery => ({ channel, state: 'suppressed', address: '', reason, fallbackRank: 0 }),
  )
  return { outcome: 'suppressed', reason, deliveries, steps: asked.steps }
}

/** A delivery on each channel asked for, and behind them the fallbacks, held. */
function candidates(asked: Asked): PlannedDelivery[] {
  const first = chosenChannels(asked)
  const deliveries = first.map((channel) => candidate(asked, channel, 0))
  const fallbacks = asked.want.fallbackChannels
  if (fallbacks === undefined || fallbacks.length === 0) return deliveries
  let rank = 0
  for (const channel of new Set(fallbacks)) {
    if (first.includes(channel)) continue
    rank++
    if (channel !== 'audit') deliveries.push(candidate(asked, channel, rank))
  }
  return deliveries
}

function candidate(asked: Asked, channel: Channel, fallbackRank: number): PlannedDelivery {
  const address = addressOf(channel, asked.person)
  const state = channel === 'audit' ? 'sent' : fallbackRank === 0 ? 'queued' : 'held'
  const delivery: PlannedDelivery = { channel, state, address: address ?? '', fallbackRank }
  reachability(asked, delivery, address)
  return delivery
}

/**
 * The channels of a notification: those asked for; else those of the template that the recipient can be reached on;
 * else those of the addresses given; else the default.
 */
function chosenChannels({ want, person, settings }: Asked): readonly Channel[] {
  const asked = want.channels
  if (asked !== undefined && asked.length > 0) return asked.length === 1 ? asked : [...new Set(asked)]
  const reachable = (channel: Channel) => addressOf(channel, person) !== undefined
  const ofTemplate = want.template?.channels.filter(reachable) ?? []
  if (ofTemplate.length > 0) return [...new Set(ofTemplate)]
  if (want.template) return [...new Set(want.template.channels)]
  const ofAddresses = channels.filter((channel) => reachesByAddress(channel, person))
  return ofAddresses.length > 0 ? ofAddresses : settings.defaultChannels
}

const reachesByAddress = (channel: Channel, person: Person) =>
  channel !== 'voice' && channel !== 'in_app' && channel !== 'audit' && addressOf(channel, person) !== undefined

/** Where a channel reaches the recipient; '' for channels that need no address. */
function addressOf(channel: Channel, person: Person): string | undefined {
  if (channel === 'audit') return ''
  if (channel === 'in_app') return person.known ? '' : undefined
  return person.addresses[channel] ?? person.preferences?.said.channels?.[channel]?.address
}
