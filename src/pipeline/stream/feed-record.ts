import type { Channel } from '../../domain/channel.ts'
import { type EventFamily, eventTypeOf } from '../../domain/event-types.ts'
import {
  type DeadLetterEvent,
  type DeliveryEvent,
  type FeedEventHead,
  type FeedRecords,
  feedSchemaVersion,
  type NotificationEvent,
  type SystemEvent,
} from '../../domain/feed-event.ts'
import { intentIdOf, notificationIdOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import { sequenceOf } from './cloud-event.ts'
import type { Sealed } from './personal-data.ts'

export type FeedRecord = FeedRecords[keyof FeedRecords]

/** The record of an event, as the schemas have it: what is absent is null. The channel is its delivery's. */
export function feedRecord(
  event: StatusEvent,
  family: EventFamily,
  channel: Channel | undefined,
  sealed?: Sealed,
): FeedRecord {
  switch (family) {
    case 'delivery':
      return deliveryEvent(event, channel ?? '', sealed)
    case 'notification':
      return notificationEvent(event)
    case 'dead_letter':
      return deadLetterEvent(event, channel ?? '', sealed)
    case 'system':
      return systemEvent(event)
  }
}

/** What is left of an event that is too long for a broker. */
export function bareRecord(event: StatusEvent, family: EventFamily, channel: Channel | undefined): FeedRecord {
  return { ...feedRecord({ ...event, data: {} }, family, channel), data_omitted: true }
}

// What the events of a batch share is made once.
let lastAt: Date | undefined
let isoAt = ''

function isoTime(at: Date): string {
  if (at !== lastAt) {
    lastAt = at
    isoAt = at.toISOString()
  }
  return isoAt
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const flag = (value: unknown): boolean | null => (typeof value === 'boolean' ? value : null)
/** Avro's int has 32 bits. */
const count = (value: unknown): number | null => (typeof value === 'number' && (value | 0) === value ? value : null)

function headOf({ id, type, tenantId, at, xid, data }: StatusEvent): FeedEventHead {
  const traceparent = text(data.traceparent)
  return {
    id,
    event_type: type,
    schema_version: feedSchemaVersion,
    tenant_id: tenantId,
    source: `/carillon/${tenantId}`,
    occurred_at: isoTime(at),
    sequence: sequenceOf({ xid, id }),
    idempotency_key: text(data.idempotency_key),
    correlation_id: text(data.correlation_id),
    trace_id: traceparent === null || traceparent.length < 55 ? null : traceparent.slice(3, 35),
    traceparent,
    data_omitted: false,
  }
}

function notificationEvent(event: StatusEvent): NotificationEvent {
  const { data, subjectId } = event
  const intentId = intentIdOf(subjectId)
  return {
    ...headOf(event),
    intent_id: intentId,
    notification_id: subjectId === intentId ? null : notificationIdOf(subjectId),
    recipient_id: text(data.recipient_id),
    type: text(data.type),
    category: text(data.category),
    reason: text(data.reason),
    kind: text(data.kind),
    origin: text(data.source),
    event_id: text(data.event_id),
    recipients: count(data.recipients),
    notifications: count(data.notifications),
    stopped: count(data.stopped),
    continues: flag(data.continues),
    folded: count(data.folded),
    code: text(data.code),
  }
}

function deliveryEvent(event: StatusEvent, channel: string, sealed?: Sealed): DeliveryEvent {
  const { data, subjectId } = event
  return {
    ...headOf(event),
    intent_id: intentIdOf(subjectId),
    notification_id: notificationIdOf(subjectId),
    delivery_id: subjectId,
    channel,
    recipient_id: text(data.recipient_id),
    type: text(data.type),
    category: text(data.category),
    reason: text(data.reason),
    attempt: count(data.attempt),
    provider: text(data.provider),
    possible_duplicate: flag(data.possible_duplicate),
    fallback: flag(data.fallback),
    next_attempt_at: text(data.next_attempt_at),
    machine: flag(data.machine),
    personal_key_id: sealed?.keyId ?? null,
    personal_data: sealed?.ciphertext ?? null,
  }
}

function deadLetterEvent(event: StatusEvent, channel: string, sealed?: Sealed): DeadLetterEvent {
  const { data, subjectId } = event
  return {
    ...headOf(event),
    intent_id: intentIdOf(subjectId),
    notification_id: notificationIdOf(subjectId),
    delivery_id: subjectId,
    channel,
    recipient_id: text(data.recipient_id),
    type: text(data.type),
    category: text(data.category),
    reason: text(data.reason),
    attempt: count(data.attempt),
    provider: text(data.provider),
    possible_duplicate: flag(data.possible_duplicate),
    by: text(data.by),
    personal_key_id: sealed?.keyId ?? null,
    personal_data: sealed?.ciphertext ?? null,
  }
}

/** Of the service's own events the emitters say what there is to say; of those we do not know, all of it is kept. */
function systemEvent(event: StatusEvent): SystemEvent {
  const { data, subjectId } = event
  const { channel, provider, template, reason, traceparent, idempotency_key, correlation_id, ...rest } = data
  const known = eventTypeOf(event.type)
  const others = Object.entries(known ? ((rest.attributes as object | undefined) ?? {}) : rest)
  return {
    ...headOf(event),
    subject: subjectId,
    channel: text(channel),
    provider: text(provider),
    template: text(template),
    reason: text(reason),
    attributes: Object.fromEntries(
      others.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
    ),
  }
}
