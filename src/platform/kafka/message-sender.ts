import { CompressionTypes, type ICustomPartitioner, type ProducerBatch, type RecordMetadata } from 'kafkajs'
import { partitionOf } from './partition.ts'
import type { KafkaMessage } from './publisher.ts'
import type { Compression } from './records.ts'
import { mostRequestBytes } from './topic-findings.ts'

const brokerTimeoutMs = 15_000

const compressionTypes: Record<Compression, CompressionTypes> = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  zstd: CompressionTypes.ZSTD,
}

export interface MessageSender {
  /** For the producer that `via` belongs to. */
  createPartitioner: ICustomPartitioner
  /** Sends messages in their order, in requests of bounded size, one after the other, acknowledged by all in-sync replicas. */
  send(via: (batch: ProducerBatch) => Promise<RecordMetadata[]>, messages: readonly KafkaMessage[]): Promise<void>
}

/**
 * How messages go through a kafkajs producer, with what kafkajs 2.2.4 does wrong put right:
 * - the acknowledged partitions are compared with those the messages were meant for: when a retry finds a partition moved
 *   to a broker that has answered already, kafkajs skips its messages and reports success;
 * - partitions are chosen by a count that stays the same through a request's retries, with murmur2 in plain arithmetic.
 */
export function createMessageSender(compression: Compression): MessageSender {
  /** The partition counts and the partitions of the request under way. */
  let counts = new Map<string, number>()
  let meant = new Set<string>()

  async function request(via: (batch: ProducerBatch) => Promise<RecordMetadata[]>, messages: readonly KafkaMessage[]) {
    counts = new Map()
    meant = new Set()
    const byTopic = new Map<string, { key: Buffer; value: string | Buffer; headers: Record<string, string> }[]>()
    for (const { topic, key, value, headers } of messages) {
      const list = byTopic.get(topic) ?? []
      if (list.length === 0) byTopic.set(topic, list)
      list.push({ key: Buffer.from(key), value, headers })
    }
    const answers = await via({
      acks: -1,
      timeout: brokerTimeoutMs,
      compression: compressionTypes[compression],
      topicMessages: [...byTopic].map(([topic, list]) => ({ topic, messages: list })),
    })
    for (const { topicName, partition } of answers) meant.delete(`${topicName}/${partition}`)
    if (meant.size > 0) throw new Error(`no acknowledgement for ${[...meant].join(', ')}`)
  }

  return {
    createPartitioner:
      () =>
      ({ topic, partitionMetadata, message }) => {
        const count = counts.get(topic) ?? partitionMetadata.length
        counts.set(topic, count)
        const partition = partitionOf(message.key as Buffer, count)
        meant.add(`${topic}/${partition}`)
        return partition
      },
    async send(via, messages) {
      for (const some of requestsOf(messages)) await request(via, some)
    },
  }
}

/** Cuts messages into requests of bounded size, in order. */
function* requestsOf(messages: readonly KafkaMessage[]): Generator<readonly KafkaMessage[]> {
  let from = 0
  let bytes = 0
  for (const [index, message] of messages.entries()) {
    const size = sizeOf(message)
    if (index > from && bytes + size > mostRequestBytes) {
      yield messages.slice(from, index)
      from = index
      bytes = 0
    }
    bytes += size
  }
  if (from < messages.length) yield messages.slice(from)
}

/** About: characters of headers for their bytes, which are ASCII but for what callers put into keys. */
function sizeOf({ key, value, headers }: KafkaMessage): number {
  let bytes = 32 + key.length + (typeof value === 'string' ? Buffer.byteLength(value) : value.length)
  for (const name in headers) bytes += 6 + name.length + headers[name]!.length
  return bytes
}
