import type { Channel } from '../channel.ts'
import type { GateReason, PlannedDelivery, Step } from '../decision.ts'
import { coversType } from '../event-patterns.ts'
import type { Preferences } from '../preferences.ts'
import { type Asked, field, isOpen, suppress } from './asked.ts'

/** Whose word it was. */
type By = 'recipient' | 'defaults' | 'category'

interface Refusal {
  reason: GateReason
  inputs: Record<string, unknown>
  until?: string
}

/** What is said that bears on one want: of everything, or of one channel. */
interface Said {
  everything: Refusal | undefined
  of(channel: Channel): Refusal | undefined
}

type EventTypePreference = NonNullable<Preferences['eventTypes']>[string]

/**
 * What the person has said, over what the tenant gives as default, over the category itself. Each word can stop, and none
 * makes another undone: who is switched off altogether is not switched on by a category.
 */
export function preference(asked: Asked, deliveries: readonly PlannedDelivery[]): void {
  const { person, category, defaults, steps } = asked
  if (person.type === 'system') return
  const own = person.preferences?.said
  const general = defaults?.said
  if (own === undefined && general === undefined && !restricts(asked)) return
  const versions = versionsOf(asked)
  if (category?.required) {
    steps.push({ gate: 'preference', verdict: 'pass', inputs: { category: category.name, required: true }, versions })
    return
  }
  const said = read(asked, own, general)
  let isEverythingTold = false
  let passes = false
  for (const delivery of deliveries) {
    if (!isOpen(delivery)) continue
    const { channel } = delivery
    const ofChannel = said.of(channel)
    const refusal = foremost(said.everything, ofChannel)
    if (refusal === undefined) {
      passes = true
      continue
    }
    suppress(delivery, refusal.reason)
    if (refusal === ofChannel) steps.push(stepOf(refusal, versions, channel))
    else if (!isEverythingTold) {
      steps.push(stepOf(refusal, versions))
      isEverythingTold = true
    }
  }
  if (passes) {
    const inputs = { category: category?.name, event_type: asked.want.type, priority: asked.want.priority }
    steps.push({ gate: 'preference', verdict: 'pass', inputs, versions })
  }
}

function restricts({ category }: Asked): boolean {
  if (category === undefined) return false
  return !category.enabled || category.channels !== undefined || category.minPriority !== undefined
}

function versionsOf({ person, defaults }: Asked): Step['versions'] {
  if (person.preferences === undefined) return defaults && { preference_defaults: defaults.version }
  const { version } = person.preferences
  return defaults ? { preferences: version, preference_defaults: defaults.version } : { preferences: version }
}

const stepOf = ({ reason, inputs, until }: Refusal, versions: Step['versions'], channel?: Channel): Step => ({
  gate: 'preference',
  ...(channel && { channel }),
  verdict: 'suppress',
  reason,
  ...(until && { until }),
  inputs,
  ...(versions && { versions }),
})

const order: readonly GateReason[] = [
  'opted_out',
  'paused',
  'channel_opted_out',
  'category_opted_out',
  'category_channel_opted_out',
  'event_type_opted_out',
  'event_type_channel_opted_out',
  'below_min_priority',
]

function foremost(one: Refusal | undefined, other: Refusal | undefined): Refusal | undefined {
  if (one === undefined || other === undefined) return one ?? other
  return order.indexOf(one.reason) < order.indexOf(other.reason) ? one : other
}

function read(asked: Asked, own: Preferences | undefined, general: Preferences | undefined): Said {
  const { want, category } = asked
  const name = category?.name
  const ownCategory = name === undefined ? undefined : field(own?.categories, name)
  const generalCategory = name === undefined ? undefined : field(general?.categories, name)
  const ownType = ofType(own, want.type)
  const generalType = ofType(general, want.type)

  const categoryChannels = ownCategory?.channels ?? generalCategory?.channels
  const typeChannels = ownType?.channels ?? generalType?.channels

  const everything = (): Refusal | undefined => {
    if ((own?.enabled ?? general?.enabled) === false) {
      return { reason: 'opted_out', inputs: { enabled: false, by: by(own?.enabled, general?.enabled) } }
    }
    const isPaused = (said?: Preferences) => said?.pausedUntil !== undefined && said.pausedUntil > asked.now
    const paused = isPaused(own) ? own : isPaused(general) ? general : undefined
    if (paused?.pausedUntil) {
      const until = paused.pausedUntil.toISOString()
      return { reason: 'paused', until, inputs: { paused_until: until, by: paused === own ? 'recipient' : 'defaults' } }
    }
    if ((ownCategory?.enabled ?? generalCategory?.enabled ?? category?.enabled) === false) {
      const whose = by(ownCategory?.enabled, generalCategory?.enabled)
      return { reason: 'category_opted_out', inputs: { category: name, enabled: false, by: whose } }
    }
    if ((ownType?.enabled ?? generalType?.enabled) === false) {
      const whose = by(ownType?.enabled, generalType?.enabled)
      return { reason: 'event_type_opted_out', inputs: { event_type: want.type, enabled: false, by: whose } }
    }
    return tooLow()
  }

  const tooLow = (): Refusal | undefined => {
    const { priority } = want
    const ofAll = own?.minPriority ?? general?.minPriority ?? 0
    if (priority < ofAll) {
      const inputs = { priority, min_priority: ofAll, by: by(own?.minPriority, general?.minPriority) }
      return { reason: 'below_min_priority', inputs }
    }
    const ofCategory = ownCategory?.minPriority ?? generalCategory?.minPriority ?? category?.minPriority ?? 0
    if (priority < ofCategory) {
      const whose = by(ownCategory?.minPriority, generalCategory?.minPriority)
      return {
        reason: 'below_min_priority',
        inputs: { category: name, priority, min_priority: ofCategory, by: whose },
      }
    }
    return undefined
  }

  const of = (channel: Channel): Refusal | undefined => {
    const ownChannel = own?.channels?.[channel]?.enabled
    const generalChannel = general?.channels?.[channel]?.enabled
    if ((ownChannel ?? generalChannel) === false) {
      return { reason: 'channel_opted_out', inputs: { enabled: false, by: by(ownChannel, generalChannel) } }
    }
    // The category's own list is how the tenant uses it, so a person chooses among those, and adds none.
    if (category?.channels && !category.channels.includes(channel)) {
      const inputs = { category: name, channels: category.channels, by: 'category' }
      return { reason: 'category_channel_opted_out', inputs }
    }
    if (categoryChannels && !categoryChannels.includes(channel)) {
      const whose = by(ownCategory?.channels, generalCategory?.channels)
      return { reason: 'category_channel_opted_out', inputs: { category: name, channels: categoryChannels, by: whose } }
    }
    if (typeChannels && !typeChannels.includes(channel)) {
      const inputs = { event_type: want.type, channels: typeChannels, by: by(ownType?.channels, generalType?.channels) }
      return { reason: 'event_type_channel_opted_out', inputs }
    }
    return undefined
  }

  return { everything: everything(), of }
}

/** What is said of a type: of itself, else by the longest pattern (`commerce.*`) that covers it. */
function ofType(said: Preferences | undefined, type: string): EventTypePreference | undefined {
  const all = said?.eventTypes
  if (all === undefined) return undefined
  const exact = field(all, type)
  if (exact !== undefined) return exact
  let longest: string | undefined
  for (const pattern of Object.keys(all)) {
    if (!pattern.includes('*') || !coversType(pattern, type)) continue
    if (longest === undefined || pattern.length > longest.length) longest = pattern
  }
  return longest === undefined ? undefined : all[longest]
}

function by(own: unknown, general: unknown): By {
  if (own !== undefined) return 'recipient'
  return general === undefined ? 'category' : 'defaults'
}
