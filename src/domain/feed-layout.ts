import { type Channel, channels } from './channel.ts'
import { type EventFamily, eventTypes } from './event-types.ts'

/** What the messages of the feed are keyed by: what shares a key keeps its order within a topic. */
export type FeedKey = 'notification' | 'recipient' | 'tenant'

/** The topic of each family, before the prefix, with {channel}, {outcome} and {family} to be filled in. */
export type FeedTemplates = Record<EventFamily, string>

export const defaultFeedTopics =
  'notification=notification.intents,delivery=notification.{channel},dead_letter=notification.dlq,system=carillon.system'

const families: readonly EventFamily[] = ['notification', 'delivery', 'dead_letter', 'system']

/** The outcome of events whose type we do not know: a newer process wrote them. */
const otherOutcome = 'other'

/** Only what has a channel can be told apart by it. */
const placeholdersOf: Record<EventFamily, readonly string[]> = {
  notification: ['outcome', 'family'],
  delivery: ['channel', 'outcome', 'family'],
  dead_letter: ['channel', 'outcome', 'family'],
  system: ['outcome', 'family'],
}

export interface Place {
  topic: string
  family: EventFamily
}

export interface FeedLayout {
  /** Every topic that an event can go to, before the prefix, with the families that meet there. */
  topics: ReadonlyMap<string, ReadonlySet<EventFamily>>
  /** Where an event goes, and as which family's record; the channel is its delivery's. */
  placeOf(type: string, channel: Channel | undefined): Place
}

/**
 * `family=topic` with commas, or one topic for all families; a family that is not named keeps its default. Throws an
 * Error that says what is wrong.
 */
export function parseFeedTopics(text: string): FeedTemplates {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
  const isOne = entries.length === 1 && !entries[0]!.includes('=')
  const named = isOne ? families.map((family) => [family, entries[0]!] as const) : entries.map(parseEntry)
  const templates = Object.fromEntries(
    text === defaultFeedTopics ? named : [...Object.entries(parseFeedTopics(defaultFeedTopics)), ...named],
  )
  for (const family of families) checkTemplate(family, templates[family]!)
  return templates as FeedTemplates
}

function parseEntry(entry: string): readonly [EventFamily, string] {
  const at = entry.indexOf('=')
  const family = families.find((name) => name === entry.slice(0, at).trim())
  if (!family) throw new Error(`"${entry}" must be family=topic, with one of the families ${families.join(', ')}`)
  return [family, entry.slice(at + 1).trim()]
}

function checkTemplate(family: EventFamily, template: string): void {
  for (const [, name = ''] of template.matchAll(/\{([^}]*)\}/g)) {
    if (!placeholdersOf[family].includes(name)) {
      const allowed = placeholdersOf[family].map((placeholder) => `{${placeholder}}`).join(', ')
      throw new Error(`{${name}} says nothing in a topic of the family ${family}; ${allowed} do`)
    }
  }
  const plain = template.replaceAll(/\{[^}]*\}/g, 'x')
  if (!/^[A-Za-z0-9._-]{1,200}$/.test(plain) || plain === '.' || plain === '..') {
    throw new Error(`"${template}" is no name for a topic: letters, digits, dots, underscores and dashes, up to 200`)
  }
}

/** Puts a layout to work: every topic is known beforehand, so that each can be made before the first event comes. */
export function createFeedLayout(templates: FeedTemplates): FeedLayout {
  const topics = new Map<string, Set<EventFamily>>()
  const fill = (family: EventFamily, outcome: string, channel: string) => {
    const topic = templates[family]
      .replaceAll('{family}', family)
      .replaceAll('{outcome}', outcome)
      .replaceAll('{channel}', channel)
    topics.set(topic, (topics.get(topic) ?? new Set()).add(family))
    return topic
  }
  const other: Place = { topic: fill('system', otherOutcome, ''), family: 'system' }
  const byType = new Map<string, Place | Map<Channel, Place>>()
  for (const { type, family, outcome, channel } of eventTypes) {
    const place = (of: string): Place => ({ topic: fill(family, outcome, of), family })
    const isOfAll = family === 'dead_letter'
    byType.set(type, isOfAll ? new Map(channels.map((each) => [each, place(each)])) : place(channel ?? ''))
  }
  return {
    topics,
    placeOf(type, channel) {
      const place = byType.get(type)
      return (place instanceof Map ? channel && place.get(channel) : place) ?? other
    },
  }
}
