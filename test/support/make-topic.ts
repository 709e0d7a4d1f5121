import type { Admin, ITopicConfig } from 'kafkajs'
import { eventually } from './eventually.ts'

/**
 * Makes a topic, and waits until its leaders answer for it. What kafkajs offers (waitForLeaders) fails now and then on a
 * broker that is busy, and where it succeeds the leaders may not know yet that they are.
 */
export async function makeTopic(admin: Admin, topic: ITopicConfig): Promise<void> {
  await admin.createTopics({ topics: [topic], waitForLeaders: false })
  await eventually(() => admin.fetchTopicOffsets(topic.topic))
}
