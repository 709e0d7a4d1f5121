import type { Producer } from 'kafkajs'
import { createKafka, type KafkaOptions, operational, sayGoodbye } from './connection.ts'
import { createMessageSender } from './message-sender.ts'
import type { TopicFinding, TopicWishes } from './topic-findings.ts'
import { ensureTopics } from './topics.ts'

export interface KafkaMessage {
  topic: string
  key: string
  headers: Record<string, string>
  value: string | Buffer
}

/** Throws OperationalError KAFKA_UNAVAILABLE, where trying again helps, or KAFKA_REFUSED, where a person has to. */
export interface KafkaPublisher {
  /** Opens the producer; publish does it too, when there is none. */
  connect(): Promise<void>
  /** Makes the topics that are missing, and tells what of the others is not as wished. */
  ensureTopics(topics: readonly string[], wishes: TopicWishes): Promise<readonly TopicFinding[]>
  /**
   * Resolves when every message is acknowledged by all in-sync replicas; one key's messages stay in order. After an
   * error any part of the batch may have arrived: publish the whole batch again, and nothing after it before it.
   */
  publish(batch: readonly KafkaMessage[]): Promise<void>
  disconnect(): Promise<void>
}

/**
 * A producer that delivers at least once: idempotent, acks from all, one request in flight a broker. The feed itself goes
 * through a transactional-publisher.ts. A producer that failed is thrown away: kafkajs takes its sequence numbers back
 * after an error, so another batch sent under the same numbers would be taken for a repetition by the broker, and dropped.
 */
export function createKafkaPublisher(options: KafkaOptions): KafkaPublisher {
  const kafka = createKafka(options)
  const sender = createMessageSender(options.compression)
  let opening: Promise<Producer> | undefined

  async function open(): Promise<Producer> {
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 }, // repetitions that the broker drops, while a new leader settles
      createPartitioner: sender.createPartitioner,
    })
    try {
      await producer.connect()
      return producer
    } catch (error) {
      await sayGoodbye(() => producer.disconnect())
      throw operational(error, 'cannot connect to Kafka')
    }
  }

  function connected(): Promise<Producer> {
    opening ??= open().catch((error) => {
      opening = undefined
      throw error
    })
    return opening
  }

  return {
    async connect() {
      await connected()
    },
    ensureTopics: (topics, wishes) => ensureTopics(kafka, topics, wishes),
    async publish(batch) {
      const producer = await connected()
      try {
        await sender.send(producer.sendBatch, batch)
      } catch (error) {
        opening = undefined
        await sayGoodbye(() => producer.disconnect())
        throw operational(error, 'Kafka did not take the batch')
      }
    },
    async disconnect() {
      const producer = await opening?.catch(() => undefined) // it never opened: nothing to close
      opening = undefined
      if (producer) await sayGoodbye(() => producer.disconnect())
    },
  }
}
