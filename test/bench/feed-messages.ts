import { Kafka, logLevel } from 'kafkajs'
import { feedTopics } from '../../src/pipeline/stream/cloud-event.ts'

/** How many messages the broker's offsets show in the topics of the feed. */
export async function countMessages(brokers: string[], topicPrefix: string): Promise<number> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    let messages = 0
    for (const topic of feedTopics) {
      for (const { high, low } of await admin.fetchTopicOffsets(topicPrefix + topic))
        messages += Number(high) - Number(low)
    }
    return messages
  } finally {
    await admin.disconnect()
  }
}
