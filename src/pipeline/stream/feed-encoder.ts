import { type EventFamily, eventTypeOf, recordOfFamily } from '../../domain/event-types.ts'
import {
  createFeedLayout,
  defaultFeedTopics,
  type FeedKey,
  type FeedTemplates,
  parseFeedTopics,
} from '../../domain/feed-layout.ts'
import { channelOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import { parseWrappingKey } from '../../platform/envelope.ts'
import { type FeedSchema, feedSchema } from '../../platform/feed-schemas.ts'
import type { KafkaMessage } from '../../platform/kafka/publisher.ts'
import { configuredRegistry, type SchemaRegistry } from '../../platform/schema-registry.ts'
import { headersOf, keyOf } from './cloud-event.ts'
import { avroFormat, jsonFormat, type SubjectNames } from './feed-format.ts'
import { bareRecord, feedRecord } from './feed-record.ts'
import { createSealer, type Sealed, type Sealer, type SealerDeps } from './personal-data.ts'

/** How status events become the messages of the outward feed. */
export interface FeedEncoder {
  /** Every topic that its messages may go to. */
  topics: readonly string[]
  /**
   * Makes ready what lies outside. Call it before the first batch; encode waits for it, too. Throws OperationalError
   * SCHEMA_REGISTRY_UNAVAILABLE or SCHEMA_REFUSED; it may be called again.
   */
  prepare?(): Promise<void>
  /** So many are encoded at a time, or memory is not bounded: their messages may be long. Absent: any number. */
  mostEvents?: number
  /** One message an event, in the same order. */
  encode(events: readonly StatusEvent[]): Promise<KafkaMessage[]>
}

export interface FeedEncoderOptions {
  topicPrefix: string
  templates?: FeedTemplates
  key?: FeedKey
  /** Absent: JSON. */
  avro?: { registered?: { registry: SchemaRegistry; subjects: SubjectNames } }
  /** Absent: no addresses and no content. */
  seal?: Sealer
}

interface FeedSettings {
  KAFKA_TOPIC_PREFIX: string
  FEED_TOPICS: string
  FEED_KEY: FeedKey
  FEED_FORMAT: 'json' | 'avro'
  SCHEMA_REGISTRY_URL?: string
  SCHEMA_REGISTRY_USERNAME?: string
  SCHEMA_REGISTRY_PASSWORD?: string
  SCHEMA_REGISTRY_AUTO_REGISTER: boolean
  SCHEMA_REGISTRY_SUBJECTS: SubjectNames
  FEED_PII: 'off' | 'encrypted'
  FEED_PII_KEYS: readonly string[]
}

/** The encoder as the configuration wants it. Without a database it tells of addresses and content under no setting. */
export function configuredFeedEncoder(
  settings: FeedSettings,
  database?: Pick<SealerDeps, 'on' | 'clock' | 'ids'>,
): FeedEncoder {
  const registry = configuredRegistry(settings)
  const registered = registry && { registry, subjects: settings.SCHEMA_REGISTRY_SUBJECTS }
  return createFeedEncoder({
    topicPrefix: settings.KAFKA_TOPIC_PREFIX,
    templates: parseFeedTopics(settings.FEED_TOPICS),
    key: settings.FEED_KEY,
    avro: settings.FEED_FORMAT === 'avro' ? { registered } : undefined,
    seal:
      database && settings.FEED_PII === 'encrypted'
        ? createSealer({ ...database, wrappings: settings.FEED_PII_KEYS.map(parseWrappingKey) })
        : undefined,
  })
}

/** Each may hold 256 KiB of content, which is in memory a few times over; the relay's thread has 192 MiB. */
const mostSealed = 64

export function createFeedEncoder({
  topicPrefix,
  templates,
  key = 'notification',
  avro,
  seal,
}: FeedEncoderOptions): FeedEncoder {
  const layout = createFeedLayout(templates ?? parseFeedTopics(defaultFeedTopics))
  const topics = new Map([...layout.topics].map(([topic, families]) => [topicPrefix + topic, families]))
  const schemas = Object.fromEntries(
    Object.entries(recordOfFamily).map(([family, record]) => [family, feedSchema(record)]),
  ) as Record<EventFamily, FeedSchema>
  const format = avro ? avroFormat(schemas, topics, avro.registered) : jsonFormat(schemas)
  const { contentType } = format

  function toMessage(event: StatusEvent, sealed?: Sealed): KafkaMessage {
    const channel = eventTypeOf(event.type)?.channel ?? channelOf(event.subjectId)
    const { topic: name, family } = layout.placeOf(event.type, channel)
    const topic = topicPrefix + name
    let record = feedRecord(event, family, channel, sealed)
    let value = format.write(record, family, topic)
    if (value === undefined) {
      record = bareRecord(event, family, channel)
      value = format.write(record, family, topic) ?? ''
    }
    const messageKey = keyOf(event, family, key)
    const on = { subject: event.subjectId, key: messageKey, contentType, dataSchema: schemas[family].uri }
    return { topic, key: messageKey, headers: headersOf(record, on), value }
  }

  return {
    topics: [...topics.keys()],
    prepare: format.prepare,
    mostEvents: seal && mostSealed,
    async encode(events) {
      await format.prepare?.()
      const sealed = await seal?.(events)
      return events.map((event) => toMessage(event, sealed?.get(event.id)))
    },
  }
}
