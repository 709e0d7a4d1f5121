import { pino } from 'pino'
import { feedTopics } from '../../src/pipeline/stream/cloud-event.ts'
import { createTopicReader } from '../../src/platform/kafka/consumer.ts'

/** How many messages somebody finds in the topics of the feed who reads what is committed. */
export async function countMessages(brokers: string[], topicPrefix: string): Promise<number> {
  const logger = pino({ level: 'silent' })
  const reader = createTopicReader({ brokers, clientId: 'bench', ssl: false, compression: 'none', logger })
  try {
    const topics = feedTopics.map((topic) => topicPrefix + topic)
    let messages = 0
    for await (const records of reader.read(await reader.ranges(topics, 'oldest'))) messages += records.length
    return messages
  } finally {
    await reader.close()
  }
}
