import { type Channel, channels } from './channel.ts'
import type { DeadLetterEvent, DeliveryEvent, FeedEventHead, FeedRecords, NotificationEvent } from './feed-event.ts'

/** What kinds of story there are; each has one record in the schemas, and by default topics of its own. */
export type EventFamily = 'notification' | 'delivery' | 'dead_letter' | 'system'

export const recordOfFamily = {
  notification: 'NotificationEvent',
  delivery: 'DeliveryEvent',
  dead_letter: 'DeadLetterEvent',
  system: 'SystemEvent',
} as const satisfies Record<EventFamily, keyof FeedRecords>

type FieldOf<Event> = Exclude<keyof Event, keyof FeedEventHead | `${string}_id`> | 'recipient_id' | 'event_id'

/** What the `data` of a status event may hold. `source` is the way in, which the feed calls `origin`. */
export type EventDataField =
  | Exclude<FieldOf<NotificationEvent> | FieldOf<DeliveryEvent> | FieldOf<DeadLetterEvent>, 'origin'>
  | 'idempotency_key'
  | 'correlation_id'
  | 'traceparent'
  | 'source'
  | 'template'
export type EventData = Partial<Record<EventDataField | 'attributes', unknown>>

/** A type of status event. */
export interface EventType {
  type: string
  family: EventFamily
  /** The last word of it, or two: what a topic's `{outcome}` stands for. */
  outcome: string
  channel?: Channel
  tells: string
  /** What its data may hold beside the story: recipient, type, category, idempotency key, correlation and trace. */
  fields: readonly (EventDataField | 'attributes')[]
  /** Nothing tells of it yet: its time comes with the feature. */
  planned?: true
}

type Row = Omit<EventType, 'type' | 'family' | 'channel' | 'outcome'>

const told = (tells: string, ...fields: EventType['fields']): Row => ({ tells, fields })
const planned = (tells: string, ...fields: EventType['fields']): Row => ({ tells, fields, planned: true })

const notificationTypes: Record<string, Row> = {
  'notification.intent.received': told('a request or a business event was accepted', 'kind', 'source', 'event_id'),
  'notification.intent.enriched': told(
    'its recipients were resolved and judged; once an intent',
    'recipients',
    'notifications',
    'stopped',
    'continues',
  ),
  'notification.intent.unmatched': told('no rule wanted the business event, or those that did name nobody', 'reason'),
  'notification.intent.failed': told('it could not be processed, however often it was tried', 'reason', 'code'),
  'notification.intent.cancelled': told('it was cancelled: nothing more of it is planned', 'reason'),
  'notification.cancelled': told('the notification was cancelled before it reached anybody', 'reason'),
  'notification.expired': told('it was too late for the notification when it was planned', 'reason'),
  'notification.failed': told('nothing could be made of the notification', 'reason'),
  'notification.suppressed': told('the gates let no channel of the notification through', 'reason'),
  'notification.folded': told('the notification waits in a digest', 'reason'),
  'notification.digested': told('the notification went out in a digest', 'reason'),
  'notification.digest.closed': told('a digest was closed, and goes out as one notification', 'folded', 'reason'),
}

const attempt = ['channel', 'attempt', 'provider', 'reason', 'possible_duplicate'] as const
const deliveryTypes: Record<string, Row> = {
  requested: told('the delivery was planned, or a fallback’s turn has come', 'channel', 'reason', 'fallback'),
  sent: told('a provider took it, or the inbox or the audit log has it', ...attempt),
  delivered: planned('the provider says that it has arrived', 'channel', 'provider'),
  failed: told('it ended without success', ...attempt),
  bounced: planned('it came back after a provider had taken it', 'channel', 'provider', 'reason'),
  suppressed: told('a gate did not let it through', 'channel', 'reason'),
  snoozed: told('it waits, and that uses up no attempt', 'channel', 'reason', 'next_attempt_at'),
  opened: planned('somebody opened it', 'channel', 'machine'),
  clicked: planned('somebody followed a link in it', 'channel', 'machine'),
  retrying: told('the attempt failed, and another one follows', ...attempt, 'next_attempt_at'),
  cancelled: told('it was cancelled before it was sent', 'channel', 'reason'),
  expired: told('it was too late to send it', ...attempt),
  complained: planned('the recipient calls it spam', 'channel', 'provider'),
  seen: told('it was seen in the inbox', 'channel'),
  read: told('it was read in the inbox', 'channel'),
  archived: told('it was put away in the inbox', 'channel'),
}

const deadLetterTypes: Record<string, Row> = {
  'notification.dead_lettered': told('a delivery ended without success, and waits for a person', ...attempt),
  'notification.replayed': told('a person has sent a dead letter on its way again', 'channel', 'by'),
}

const systemTypes: Record<string, Row> = {
  'carillon.breaker.opened': planned(
    'a provider fails so often that it is left alone',
    'channel',
    'provider',
    'reason',
  ),
  'carillon.breaker.closed': planned('a provider that was left alone works again', 'channel', 'provider'),
  'carillon.template.quarantined': planned('a template fails so often that it is set aside', 'template', 'reason'),
  'carillon.rule.disabled': told('a rule was switched off, since its expressions fail', 'reason', 'attributes'),
  'carillon.quota.reached': told(
    'a quota of the tenant is used up to 80 or to 100 %',
    'channel',
    'reason',
    'attributes',
  ),
}

/** `sent` of notification.email.sent, `digest_closed`, `breaker_opened`. */
function outcomeOf(type: string): string {
  const words = type.split('.')
  return words[0] === 'notification' && words[1] !== 'digest' ? words.at(-1)! : words.slice(1).join('_')
}

const listed = (family: EventFamily, rows: Record<string, Row>): EventType[] =>
  Object.entries(rows).map(([type, row]) => ({ type, family, outcome: outcomeOf(type), ...row }))

/** Every type of status event there is. */
export const eventTypes: readonly EventType[] = [
  ...listed('notification', notificationTypes),
  ...channels.flatMap((channel) =>
    Object.entries(deliveryTypes).map(([outcome, row]): EventType => {
      return { type: `notification.${channel}.${outcome}`, family: 'delivery', outcome, channel, ...row }
    }),
  ),
  ...listed('dead_letter', deadLetterTypes),
  ...listed('system', systemTypes),
]

const byName = new Map(eventTypes.map((type) => [type.type, type]))

/** undefined: a newer process wrote it. */
export const eventTypeOf = (type: string): EventType | undefined => byName.get(type)
