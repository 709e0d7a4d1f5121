import { type Channel, channels } from '../../domain/channel.ts'
import { channelOf, intentIdOf, isNotificationId, notificationIdOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import type { KafkaMessage } from '../../platform/kafka.ts'

const channelTopic = (channel: Channel): string => `notification.${channel}`

/** Every topic of the outward feed, before the prefix. */
export const feedTopics: readonly string[] = [
  'notification.intents',
  ...channels.map(channelTopic),
  'notification.dlq',
  'carillon.system',
]

const topicOfChannelEvent = new Map(channels.map((channel) => [`notification.${channel}.`, channelTopic(channel)]))

/** Brokers take 1 MiB: what is longer goes without its data, which SQL still has. */
const maxDataBytes = 512 * 1024

/** Where an event goes: an intent's, a channel's, the dead letters', or else `carillon.system`. */
export function topicOf(type: string): string {
  if (type.startsWith('notification.intent.')) return 'notification.intents'
  if (type === 'notification.dead_lettered') return 'notification.dlq'
  const family = type.slice(0, type.indexOf('.', 'notification.'.length) + 1)
  return topicOfChannelEvent.get(family) ?? 'carillon.system'
}

/**
 * A place in the log as text: greater means later, over all topics of one database. It has gaps, and it starts anew
 * when the database is replaced.
 */
export function sequenceOf(event: Pick<StatusEvent, 'xid' | 'id'>): string {
  return `${event.xid.padStart(20, '0')}-${event.id}`
}

/**
 * A status event as a CloudEvents 1.0 message in Kafka's binary mode: attributes in `ce_` headers, data as JSON. The key
 * is the notification, so that its events keep their order within a topic; of an intent's event it is the intent.
 */
export function toCloudEvent(event: StatusEvent, topicPrefix = ''): KafkaMessage {
  const key = notificationIdOf(event.subjectId)
  const headers: Record<string, string> = {
    ce_specversion: '1.0',
    ce_id: event.id,
    ce_source: `/carillon/${event.tenantId}`,
    ce_type: event.type,
    ce_subject: event.subjectId,
    ce_time: event.at.toISOString(),
    'content-type': 'application/json',
    ce_partitionkey: key,
    ce_sequence: sequenceOf(event),
    ce_tenantid: event.tenantId,
  }
  const { traceparent, correlation_id } = event.data
  if (typeof traceparent === 'string') headers.ce_traceparent = traceparent
  if (typeof correlation_id === 'string') headers.ce_correlationid = correlation_id
  return { topic: topicPrefix + topicOf(event.type), key, headers, value: dataOf(event) }
}

function dataOf(event: StatusEvent): string {
  const ids = {
    id: event.id,
    tenant_id: event.tenantId,
    intent_id: intentIdOf(event.subjectId),
    ...(isIntent(event.subjectId) ? {} : { notification_id: notificationIdOf(event.subjectId) }),
    ...(isDelivery(event.subjectId) ? { delivery_id: event.subjectId } : {}),
  }
  const value = JSON.stringify({ ...event.data, ...ids })
  return Buffer.byteLength(value) <= maxDataBytes ? value : JSON.stringify({ data_omitted: true, ...ids })
}

const isIntent = (id: string) => intentIdOf(id) === id
const isDelivery = (id: string) => !isIntent(id) && !isNotificationId(id) && channelOf(id) !== undefined
