import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import { OperationalError } from '../errors.ts'
import { operational, sayGoodbye } from './connection.ts'
import {
  findingsOf,
  settingsThatMatter,
  type TopicFacts,
  type TopicFinding,
  type TopicWishes,
} from './topic-findings.ts'

/**
 * Makes the topics that are missing, and tells what of the others is not as wished. Many processes may do it at once. Where
 * we may not make topics, those that are there will do; KAFKA_REFUSED names those that are not.
 */
export async function ensureTopics(
  kafka: Kafka,
  topics: readonly string[],
  wishes: TopicWishes,
): Promise<readonly TopicFinding[]> {
  return withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics())
    const missing = topics.filter((topic) => !existing.has(topic))
    if (missing.length > 0) await makeTopics(admin, missing, wishes)
    return (await readFacts(admin, topics)).flatMap((facts) => findingsOf(facts, wishes))
  })
}

/** The same without making any: which are missing, and what there is to say of the others. */
export async function inspectTopics(
  kafka: Kafka,
  topics: readonly string[],
  wishes: TopicWishes,
): Promise<{ missing: string[]; findings: TopicFinding[] }> {
  return withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics())
    const facts = await readFacts(
      admin,
      topics.filter((topic) => existing.has(topic)),
    )
    return {
      missing: topics.filter((topic) => !existing.has(topic)),
      findings: facts.flatMap((of) => findingsOf(of, wishes)),
    }
  })
}

async function withAdmin<T>(kafka: Kafka, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await work(admin)
  } catch (error) {
    throw operational(error, 'cannot make sure of the topics')
  } finally {
    await sayGoodbye(() => admin.disconnect())
  }
}

interface TopicFault extends Error {
  topic: string
  type: string
}

async function makeTopics(admin: Admin, topics: readonly string[], wishes: TopicWishes): Promise<void> {
  const { partitions, replication, retentionMs } = wishes
  const configEntries = [
    { name: 'cleanup.policy', value: 'delete' },
    ...(retentionMs === undefined ? [] : [{ name: 'retention.ms', value: `${retentionMs}` }]),
  ]
  try {
    await admin.createTopics({
      topics: topics.map((topic) => ({
        topic,
        numPartitions: partitions,
        replicationFactor: replication,
        configEntries,
      })),
      timeout: 15_000,
      waitForLeaders: false, // it gives up while the brokers have not yet heard of the topics
    })
  } catch (error) {
    const { errors } = error as { errors?: TopicFault[] }
    if (!errors) throw error
    const faults = errors.filter(({ type }) => type !== 'TOPIC_ALREADY_EXISTS') // another process was quicker
    if (faults.length === 0) return
    const [first] = faults
    const names = faults.map(({ topic }) => topic).join(', ')
    if (faults.every(({ type }) => type.endsWith('_AUTHORIZATION_FAILED')))
      throw new OperationalError(
        'KAFKA_REFUSED',
        `${names}: not there, or not for us to see, and we may not create topics`,
      )
    throw operational(first, `${names} cannot be created`)
  }
}

async function readFacts(admin: Admin, names: readonly string[]): Promise<TopicFacts[]> {
  if (names.length === 0) return [] // which would be taken for all
  const topics = [...names]
  const found = await onceBrokersKnow(() => admin.fetchTopicMetadata({ topics }))
  const settings = await readSettings(admin, topics)
  return found.topics.map(({ name, partitions }) => ({
    topic: name,
    partitions: partitions.length,
    replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    settings: settings.get(name),
  }))
}

/** Those of the topics whose settings we may read. One that we may not fails them all, so then each is asked by itself. */
async function readSettings(admin: Admin, topics: readonly string[]): Promise<Map<string, Map<string, string>>> {
  const ask = async (names: readonly string[]) => {
    const { resources } = await onceBrokersKnow(() =>
      admin.describeConfigs({
        resources: names.map((name) => ({
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name,
          configNames: settingsThatMatter,
        })),
        includeSynonyms: false,
      }),
    )
    return resources.map(
      ({ resourceName, configEntries }) =>
        [resourceName, new Map(configEntries.map((entry) => [entry.configName, entry.configValue]))] as const,
    )
  }
  const unlessDenied = (names: readonly string[], instead: () => ReturnType<typeof ask>) =>
    ask(names).catch((error: { type?: string }) => {
      if (error.type?.endsWith('_AUTHORIZATION_FAILED')) return instead()
      throw error
    })
  const each = async () => {
    const settings = []
    for (const topic of topics) settings.push(...(await unlessDenied([topic], async () => [])))
    return settings
  }
  return new Map(await unlessDenied(topics, each))
}

/** Brokers hear of a new topic a moment after it was made. */
async function onceBrokersKnow<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      const { type } = error as { type?: string }
      if (tries === 50 || (type !== 'UNKNOWN_TOPIC_OR_PARTITION' && type !== 'LEADER_NOT_AVAILABLE')) throw error
      await sleep(100)
    }
  }
}
