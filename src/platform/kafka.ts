import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, CompressionTypes, Kafka, type LogEntry, logLevel, type Producer } from 'kafkajs'
import type { Logger } from 'pino'
import { OperationalError } from './errors.ts'
import { partitionOf } from './kafka-partition.ts'
import { type Compression, installRecordEncoder } from './kafkajs-records.ts'
import { tameRequestQueue } from './kafkajs-request-queue.ts'

export interface KafkaMessage {
  topic: string
  key: string
  headers: Record<string, string>
  value: string
}

export interface KafkaOptions {
  brokers: readonly string[]
  clientId: string
  ssl: boolean
  compression: Compression
  /** SASL PLAIN. */
  sasl?: { username: string; password: string }
  logger: Pick<Logger, 'debug'>
}

/** The settings of the environment that say which brokers, and how. */
interface KafkaSettings {
  KAFKA_BROKERS: readonly string[]
  KAFKA_CLIENT_ID: string
  KAFKA_COMPRESSION: Compression
  KAFKA_SSL: boolean
  KAFKA_SASL_USERNAME?: string
  KAFKA_SASL_PASSWORD?: string
}

export function kafkaOptions(settings: KafkaSettings): Omit<KafkaOptions, 'logger'> {
  return {
    brokers: settings.KAFKA_BROKERS,
    clientId: settings.KAFKA_CLIENT_ID,
    compression: settings.KAFKA_COMPRESSION,
    ssl: settings.KAFKA_SSL,
    sasl: settings.KAFKA_SASL_USERNAME
      ? { username: settings.KAFKA_SASL_USERNAME, password: settings.KAFKA_SASL_PASSWORD ?? '' }
      : undefined,
  }
}

/** A topic that is there with fewer partitions than we would have made. It works; it spreads less. */
export interface TopicShortfall {
  topic: string
  partitions: number
  wanted: number
}

/** Throws OperationalError KAFKA_UNAVAILABLE, where trying again helps, or KAFKA_REFUSED, where a person has to. */
export interface KafkaPublisher {
  /** Opens the producer; publish does it too, when there is none. */
  connect(): Promise<void>
  /** Makes the topics that are missing, and tells which are smaller than asked for. -1: the broker's replication factor. */
  ensureTopics(
    topics: readonly string[],
    on: { partitions: number; replication: number },
  ): Promise<readonly TopicShortfall[]>
  /**
   * Resolves when every message is acknowledged by all in-sync replicas; one key's messages stay in order. After an
   * error any part of the batch may have arrived: publish the whole batch again, and nothing after it before it.
   */
  publish(batch: readonly KafkaMessage[]): Promise<void>
  disconnect(): Promise<void>
}

/** Below the 1 MiB that brokers take as one record batch, even if all of a request is for one partition. */
const maxRequestBytes = 900_000
const requestTimeoutMs = 20_000
const brokerTimeoutMs = 15_000
const goodbyeTimeoutMs = 2_000

/**
 * The outward feed's producer: idempotent, acks from all, one request in flight a broker. What kafkajs 2.2.4 does wrong
 * is dealt with here:
 * - a producer that failed is thrown away. kafkajs takes its sequence numbers back after an error, so another batch sent
 *   under the same numbers would be taken for a repetition by the broker, and dropped;
 * - the acknowledged partitions are compared with those the messages were meant for: when a retry finds a partition moved
 *   to a broker that has answered already, kafkajs skips its messages and reports success;
 * - partitions are chosen by a count that stays the same through a request's retries, with murmur2 in plain arithmetic;
 * - new topics are waited for here, because it takes `not yet known` for `unknown`;
 * - its request queue keeps a timer firing every millisecond on every connection, and arms it with a negative time, of
 *   which Node warns: see tameRequestQueue;
 * - its record encoder costs more than everything else that is done for a notification: see installRecordEncoder.
 */
export function createKafkaPublisher(options: KafkaOptions): KafkaPublisher {
  tameRequestQueue()
  installRecordEncoder()
  const kafka = new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    ssl: options.ssl,
    sasl: options.sasl && { mechanism: 'plain', ...options.sasl },
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 }, // patience is the caller's part
    logLevel: logLevel.WARN,
    logCreator: () => logTo(options.logger),
  })
  let opening: Promise<Session> | undefined

  async function open(): Promise<Session> {
    const session = createSession(kafka, options.compression)
    try {
      await session.producer.connect()
      return session
    } catch (error) {
      await sayGoodbye(() => session.producer.disconnect())
      throw operational(error, 'cannot connect to Kafka')
    }
  }

  function session(): Promise<Session> {
    opening ??= open().catch((error) => {
      opening = undefined
      throw error
    })
    return opening
  }

  return {
    async connect() {
      await session()
    },
    async ensureTopics(topics, { partitions, replication }) {
      const admin = kafka.admin()
      try {
        await admin.connect()
        const existing = new Set(await admin.listTopics())
        const missing = topics.filter((topic) => !existing.has(topic))
        if (missing.length > 0) {
          await admin.createTopics({
            topics: missing.map((topic) => ({ topic, numPartitions: partitions, replicationFactor: replication })),
            timeout: 15_000,
            waitForLeaders: false, // it gives up while the brokers have not yet heard of the topics
          })
        }
        const found = await describeTopics(admin, topics)
        return found
          .map(({ name, partitions: { length } }) => ({ topic: name, partitions: length, wanted: partitions }))
          .filter((topic) => topic.partitions < topic.wanted)
      } catch (error) {
        throw operational(error, 'cannot make sure of the topics')
      } finally {
        await sayGoodbye(() => admin.disconnect())
      }
    },
    async publish(batch) {
      const current = await session()
      try {
        for (const request of requestsOf(batch)) await current.send(request)
      } catch (error) {
        opening = undefined
        await sayGoodbye(() => current.producer.disconnect())
        throw operational(error, 'Kafka did not take the batch')
      }
    },
    async disconnect() {
      const current = await opening?.catch(() => undefined) // it never opened: nothing to close
      opening = undefined
      if (current) await sayGoodbye(() => current.producer.disconnect())
    },
  }
}

/** Brokers hear of a new topic a moment after it was made. */
async function describeTopics(admin: Admin, topics: readonly string[]) {
  for (let tries = 1; ; tries++) {
    try {
      return (await admin.fetchTopicMetadata({ topics: [...topics] })).topics
    } catch (error) {
      const { type } = error as { type?: string }
      if (tries === 50 || (type !== 'UNKNOWN_TOPIC_OR_PARTITION' && type !== 'LEADER_NOT_AVAILABLE')) throw error
      await sleep(100)
    }
  }
}

interface Session {
  producer: Producer
  send(messages: readonly KafkaMessage[]): Promise<void>
}

const compressionTypes: Record<Compression, CompressionTypes> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  zstd: CompressionTypes.ZSTD,
}

function createSession(kafka: Kafka, compression: Compression): Session {
  /** The partition counts and the partitions of the request under way. */
  let counts = new Map<string, number>()
  let meant = new Set<string>()
  const producer = kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 }, // repetitions that the broker drops, while a new leader settles
    createPartitioner:
      () =>
      ({ topic, partitionMetadata, message }) => {
        const count = counts.get(topic) ?? partitionMetadata.length
        counts.set(topic, count)
        const partition = partitionOf(message.key as Buffer, count)
        meant.add(`${topic}/${partition}`)
        return partition
      },
  })
  return {
    producer,
    async send(messages) {
      counts = new Map()
      meant = new Set()
      const byTopic = new Map<string, { key: Buffer; value: string; headers: Record<string, string> }[]>()
      for (const { topic, key, value, headers } of messages) {
        const list = byTopic.get(topic) ?? []
        if (list.length === 0) byTopic.set(topic, list)
        list.push({ key: Buffer.from(key), value, headers })
      }
      const answers = await producer.sendBatch({
        acks: -1,
        timeout: brokerTimeoutMs,
        compression: compressionTypes[compression],
        topicMessages: [...byTopic].map(([topic, list]) => ({ topic, messages: list })),
      })
      for (const { topicName, partition } of answers) meant.delete(`${topicName}/${partition}`)
      if (meant.size > 0) throw new Error(`no acknowledgement for ${[...meant].join(', ')}`)
    },
  }
}

/** Cuts a batch into requests of bounded size, in order. */
function* requestsOf(batch: readonly KafkaMessage[]): Generator<readonly KafkaMessage[]> {
  let from = 0
  let bytes = 0
  for (const [index, message] of batch.entries()) {
    const size = sizeOf(message)
    if (index > from && bytes + size > maxRequestBytes) {
      yield batch.slice(from, index)
      from = index
      bytes = 0
    }
    bytes += size
  }
  if (from < batch.length) yield batch.slice(from)
}

function sizeOf({ key, value, headers }: KafkaMessage): number {
  let bytes = 32 + key.length + Buffer.byteLength(value)
  for (const name in headers) bytes += 6 + name.length + Buffer.byteLength(headers[name]!)
  return bytes
}

function operational(error: unknown, what: string): OperationalError {
  const { name, retriable } = error as { name?: string; retriable?: boolean }
  const refused = retriable === false && name !== 'KafkaJSNumberOfRetriesExceeded' && !isConnectionFault(error)
  const code = refused ? 'KAFKA_REFUSED' : 'KAFKA_UNAVAILABLE'
  return new OperationalError(code, `${what}: ${(error as Error).message}`, { cause: error })
}

/** kafkajs gives some passing faults out as final ones, with the true one as their cause. */
function isConnectionFault(error: unknown): boolean {
  for (let at = error as Error | undefined; at; at = at.cause as Error | undefined) {
    if (/Connection|Timeout|Broker|Metadata|Closed|Lock/.test(at.name)) return true
    if ((at as { retriable?: boolean }).retriable === true) return true
    if (at.cause === at) break
  }
  return false
}

/** kafkajs waits for answers that may never come; what is left after the time is closed by the process's end. */
async function sayGoodbye(disconnect: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, goodbyeTimeoutMs)
  })
  await Promise.race([disconnect().catch(() => {}), tooLong]) // a connection that cannot be closed is closed already
  clearTimeout(timer)
}

/** What it warns of at each of its tries reaches us as an exception in the end, and is told once, by whoever catches it. */
function logTo(logger: Pick<Logger, 'debug'>): (entry: LogEntry) => void {
  return ({ namespace, label, log: { message, timestamp: _, logger: __, stack: ___, ...detail } }) =>
    logger.debug({ kafkajs: namespace, label, ...detail }, message)
}
