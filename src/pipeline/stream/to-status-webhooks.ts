import { createTypeMatcher } from '../../domain/event-patterns.ts'
import { eventTypeOf } from '../../domain/event-types.ts'
import { channelOf } from '../../domain/ids.ts'
import type { NewIntent } from '../../domain/intent.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import { statusWebhookIntent } from '../../domain/status-webhook.ts'
import { feedRecord } from './feed-record.ts'
import { isSince, type Subscription } from './subscriptions.ts'

const mostMatchers = 1_000
const matchers = new Map<string, (type: string) => boolean>()

function matcherOf(patterns: readonly string[]): (type: string) => boolean {
  const key = patterns.join(' ')
  let matcher = matchers.get(key)
  if (!matcher) {
    matcher = createTypeMatcher(patterns)
    if (matchers.size >= mostMatchers) matchers.clear()
    matchers.set(key, matcher)
  }
  return matcher
}

/** The events that some endpoint is to be told of. */
export function wantedEvents(
  events: readonly StatusEvent[],
  subscriptions: ReadonlyMap<string, readonly Subscription[]>,
): StatusEvent[] {
  return events.filter((event) =>
    subscriptions.get(event.tenantId)?.some((subscription) => isWanted(event, subscription)),
  )
}

/** One intent for each event and endpoint that is to be told of it, in the order of the events. */
export function toStatusWebhooks(
  events: readonly StatusEvent[],
  subscriptions: ReadonlyMap<string, readonly Subscription[]>,
): NewIntent[] {
  return events.flatMap((event) => {
    const wanting = subscriptions.get(event.tenantId)?.filter((subscription) => isWanted(event, subscription)) ?? []
    if (wanting.length === 0) return []
    const told = { id: event.id, type: event.type, at: event.at, data: dataOf(event) }
    return wanting.map(({ endpointId }) => statusWebhookIntent(event.tenantId, endpointId, told))
  })
}

function isWanted(event: StatusEvent, subscription: Subscription): boolean {
  return matcherOf(subscription.eventTypes)(event.type) && isSince(subscription, event)
}

/** The very document that Kafka gets as JSON. */
function dataOf(event: StatusEvent): Record<string, unknown> {
  const { family = 'system', channel } = eventTypeOf(event.type) ?? {}
  const { data_omitted: _never, ...record } = feedRecord(event, family, channel ?? channelOf(event.subjectId))
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null))
}
