import type pg from 'pg'
import { pino } from 'pino'
import type { Config } from '../../config/config.ts'
import { configuredFeedEncoder, type FeedEncoder } from '../../pipeline/stream/feed-encoder.ts'
import { systemClock } from '../../platform/clock.ts'
import { createValueDecoder, type ValueDecoder } from '../../platform/decode-value.ts'
import { createIdSource } from '../../platform/id-source.ts'
import { kafkaOptions } from '../../platform/kafka/connection.ts'
import { createTopicReader, type TopicReader } from '../../platform/kafka/consumer.ts'
import { createKafkaPublisher, type KafkaPublisher } from '../../platform/kafka/publisher.ts'
import { createRegistrySchemas } from '../../platform/registry-schemas.ts'
import { configuredRegistry } from '../../platform/schema-registry.ts'
import { CommandError, exitCodes } from '../exit-codes.ts'

export interface Feed {
  encoder: FeedEncoder
  /** The same, that may tell of people what the settings want told. */
  encoderWith(pool: pg.Pool): FeedEncoder
  reader: TopicReader
  decoder: ValueDecoder
  createPublisher(): Pick<KafkaPublisher, 'connect' | 'publish' | 'disconnect'>
}

/** The feed as the settings say it is, for the length of one command. Throws CommandError where there is none. */
export async function withFeed(config: Config, work: (feed: Feed) => Promise<void>): Promise<void> {
  if (config.KAFKA_BROKERS.length === 0) {
    throw new CommandError('NO_KAFKA', 'there is no feed: KAFKA_BROKERS is not set', exitCodes.config)
  }
  const options = { ...kafkaOptions(config), logger: pino({ level: 'silent' }) }
  const reader = createTopicReader(options)
  const registry = configuredRegistry(config)
  try {
    await work({
      encoder: configuredFeedEncoder(config),
      encoderWith: (pool) =>
        configuredFeedEncoder(config, { on: pool, clock: systemClock, ids: createIdSource(systemClock) }),
      reader,
      decoder: createValueDecoder(registry && createRegistrySchemas({ registry, clock: systemClock })),
      createPublisher: () => createKafkaPublisher(options),
    })
  } finally {
    await reader.close()
  }
}

/** Some of the feed's topics by their names, with or without the prefix; absent: all. Throws CommandError. */
export function chooseTopics(encoder: FeedEncoder, prefix: string, names: readonly string[] | undefined): string[] {
  if (!names) return [...encoder.topics]
  return names.map((name) => {
    const found = encoder.topics.find((topic) => topic === name || topic === prefix + name)
    if (found) return found
    throw new CommandError('BAD_OPTIONS', `the feed has no topic ${name}: it has ${encoder.topics.join(', ')}`)
  })
}

/** What `*` stands for in a pattern of types: any part of it. */
export function typeMatcher(pattern: string | undefined): ((type: string) => boolean) | undefined {
  if (pattern === undefined) return undefined
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  const expression = new RegExp(`^${parts.join('.*')}$`)
  return (type) => expression.test(type)
}
