import type { EventFamily } from '../../domain/event-types.ts'
import { createFeedLayout, defaultFeedTopics, type FeedKey, parseFeedTopics } from '../../domain/feed-layout.ts'
import { notificationIdOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import type { FeedRecord } from './feed-record.ts'

/** Every topic of the feed as it is laid out by default, before the prefix. */
export const feedTopics: readonly string[] = [...createFeedLayout(parseFeedTopics(defaultFeedTopics)).topics.keys()]

/**
 * A place in the log as text: greater means later, over all topics of one database. It has gaps, and it starts anew
 * when the database is replaced.
 */
export function sequenceOf(event: Pick<StatusEvent, 'xid' | 'id'>): string {
  if (event.xid !== lastXid) {
    lastXid = event.xid
    paddedXid = event.xid.padStart(20, '0')
  }
  return `${paddedXid}-${event.id}`
}

// The events of a batch share it.
let lastXid = ''
let paddedXid = ''

/**
 * The key of an event's message: what shares one keeps its order within a topic. Where an event names no recipient (an
 * intent's do not), it is its notification's or its intent's id.
 */
export function keyOf(event: StatusEvent, family: EventFamily, key: FeedKey): string {
  if (key === 'tenant') return event.tenantId
  const { recipient_id } = event.data
  if (key === 'recipient' && typeof recipient_id === 'string') return `${event.tenantId}/${recipient_id}`
  return family === 'system' ? event.subjectId : notificationIdOf(event.subjectId)
}

/** The attributes of a CloudEvent 1.0 as Kafka's binary mode wants them: in `ce_` headers. */
export function headersOf(
  record: FeedRecord,
  on: { subject: string; key: string; contentType: string; dataSchema: string },
): Record<string, string> {
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: record.id,
    ce_source: record.source,
    ce_type: record.event_type,
    ce_subject: on.subject,
    ce_time: record.occurred_at,
    'content-type': on.contentType,
    ce_dataschema: on.dataSchema,
    ce_partitionkey: on.key,
    ce_sequence: record.sequence,
    ce_tenantid: record.tenant_id,
  }
  if (record.traceparent !== null) headers.ce_traceparent = record.traceparent
  if (isPlain(record.correlation_id)) headers.ce_correlationid = record.correlation_id
  if (isPlain(record.idempotency_key)) headers.ce_idempotencykey = record.idempotency_key
  return headers
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what an attribute of CloudEvents may not hold
const control = /[\x00-\x1f\x7f-\x9f]/
/** What callers have put into their keys; what no attribute may hold is in the value alone. */
const isPlain = (text: string | null): text is string => text !== null && !control.test(text)
