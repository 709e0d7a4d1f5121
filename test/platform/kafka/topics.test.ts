import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import kafkajs, { type Kafka } from 'kafkajs'
import { pino } from 'pino'
import { createKafka } from '../../../src/platform/kafka/connection.ts'
import { findingsOf, type TopicFacts, type TopicWishes } from '../../../src/platform/kafka/topic-findings.ts'
import { ensureTopics, inspectTopics } from '../../../src/platform/kafka/topics.ts'
import { startKafka, type TestKafka } from '../../support/kafka-broker.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ConfigResourceTypes, ResourcePatternTypes } = kafkajs

let broker: TestKafka
let kafka: Kafka
/** The same broker, as somebody who may do only what `allow` said. */
let limited: Kafka
before(async () => {
  broker = await startKafka({ secured: true })
  const secure = broker.secure!
  const connect = {
    clientId: 'topics-test',
    ssl: false,
    compression: 'none',
    logger: pino({ level: 'silent' }),
  } as const
  kafka = createKafka({ ...connect, brokers: broker.brokers })
  limited = createKafka({
    ...connect,
    brokers: [secure.listeners.saslPlain],
    sasl: { mechanism: 'PLAIN', ...secure.limited },
  })
})
after(() => broker.stop())

const newTopic = () => `topics-${randomUUID()}`
const wishes: TopicWishes = { partitions: 2, replication: 1 }

async function settingsOf(topic: string): Promise<Record<string, string>> {
  const admin = kafka.admin()
  await admin.connect()
  const { resources } = await admin.describeConfigs({
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic }],
    includeSynonyms: false,
  })
  await admin.disconnect()
  return Object.fromEntries(resources[0]!.configEntries.map((entry) => [entry.configName, entry.configValue]))
}

async function make(topic: string, numPartitions: number, settings: Record<string, string> = {}): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: true })
  await admin.disconnect()
}

async function allow(topic: string, ...operations: number[]): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createAcls({
    acl: operations.map((operation) => ({
      resourceType: AclResourceTypes.TOPIC,
      resourceName: topic,
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:limited',
      host: '*',
      operation,
      permissionType: AclPermissionTypes.ALLOW,
    })),
  })
  await admin.disconnect()
}

test('a topic is made with its partitions, retention and cleanup policy', async () => {
  const [ours, forever, brokers] = [newTopic(), newTopic(), newTopic()]
  assert.deepEqual(await ensureTopics(kafka, [ours], { ...wishes, retentionMs: 3_600_000 }), [])
  assert.deepEqual(await ensureTopics(kafka, [forever], { ...wishes, retentionMs: -1 }), [])
  assert.deepEqual(await ensureTopics(kafka, [brokers], wishes), [])
  const kept = [await settingsOf(ours), await settingsOf(forever), await settingsOf(brokers)]
  assert.deepEqual(
    kept.map((settings) => settings['retention.ms']),
    ['3600000', '-1', '604800000'],
  )
  assert.ok(kept.every((settings) => settings['cleanup.policy'] === 'delete'))
})

test('twenty at once make the same topics, and none of them fails', async () => {
  const topics = [newTopic(), newTopic(), newTopic()]
  const all = await Promise.all(Array.from({ length: 20 }, () => ensureTopics(kafka, topics, wishes)))
  assert.ok(all.every((findings) => findings.length === 0))
})

test('topics that are there are looked at, told of and left as they are', async () => {
  const topic = newTopic()
  await make(topic, 1, { 'cleanup.policy': 'compact,delete', 'retention.ms': '60000', 'max.message.bytes': '100000' })
  const before = await settingsOf(topic)
  const found = await ensureTopics(kafka, [topic], { partitions: 6, replication: 3, retentionMs: 86_400_000 })
  assert.deepEqual(
    found.map(({ setting, found }) => [setting, found]),
    [
      ['partitions', '1'],
      ['replication.factor', '1'],
      ['cleanup.policy', 'compact,delete'],
      ['retention.ms', '60000'],
      ['max.message.bytes', '100000'],
    ],
  )
  assert.deepEqual(await settingsOf(topic), before)
})

test('where nothing may be made or described, topics that are there will do', async () => {
  const topic = newTopic()
  await make(topic, 2)
  await allow(topic, AclOperationTypes.WRITE)
  const found = await ensureTopics(limited, [topic], wishes)
  assert.deepEqual(
    found.map(({ setting }) => setting),
    ['DescribeConfigs'],
  )
  const producer = limited.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  await producer.send({ topic, messages: [{ key: 'k', value: 'ding' }] })
  await producer.disconnect()
})

test('settings of one topic that may not be read leave the others’ to be read', async () => {
  const [open, closed] = [newTopic(), newTopic()]
  await make(open, 1, { 'cleanup.policy': 'compact' })
  await make(closed, 1, { 'cleanup.policy': 'compact' })
  await allow(open, AclOperationTypes.WRITE, AclOperationTypes.DESCRIBE_CONFIGS)
  await allow(closed, AclOperationTypes.WRITE)
  const found = await ensureTopics(limited, [open, closed], { ...wishes, partitions: 1 })
  assert.deepEqual(
    found.map(({ topic, setting }) => [topic, setting]).sort(),
    [
      [open, 'cleanup.policy'],
      [closed, 'DescribeConfigs'],
    ].sort(),
  )
})

test('a topic that is not there and may not be made is refused by its name, and so is a factor that cannot be', async () => {
  const topic = newTopic()
  const refused = (message: RegExp) => ({ name: 'OperationalError', code: 'KAFKA_REFUSED', message })
  await assert.rejects(ensureTopics(limited, [topic], wishes), refused(new RegExp(`${topic}.*may not create`)))
  await assert.rejects(ensureTopics(kafka, [topic], { ...wishes, replication: 3 }), refused(new RegExp(topic)))
})

test('to look makes nothing', async () => {
  const [there, missing] = [newTopic(), newTopic()]
  await make(there, 1)
  const { missing: named, findings } = await inspectTopics(kafka, [there, missing], wishes)
  assert.deepEqual(named, [missing])
  assert.deepEqual(findings, [
    { topic: there, setting: 'partitions', found: '1', meaning: 'fewer than the 2 configured' },
  ])
})

const facts = (replicas: number, settings: Record<string, string>): TopicFacts => ({
  topic: 't',
  partitions: 6,
  replicas,
  settings: new Map(Object.entries({ 'cleanup.policy': 'delete', 'max.message.bytes': '1048588', ...settings })),
})
const judgements: [string, TopicFacts, Partial<TopicWishes>, string[]][] = [
  ['three copies, two of them needed', facts(3, { 'min.insync.replicas': '2' }), {}, []],
  ['one copy, one needed', facts(1, { 'min.insync.replicas': '1' }), {}, []],
  ['three copies, one needed', facts(3, { 'min.insync.replicas': '1' }), {}, ['min.insync.replicas']],
  ['as many needed as there are', facts(3, { 'min.insync.replicas': '3' }), {}, ['min.insync.replicas']],
  ['more needed than there are', facts(1, { 'min.insync.replicas': '2' }), {}, ['min.insync.replicas']],
  ['kept for ever, a day asked', facts(1, { 'retention.ms': '-1' }), { retentionMs: 86_400_000 }, []],
  ['kept for a day, for ever asked', facts(1, { 'retention.ms': '86400000' }), { retentionMs: -1 }, ['retention.ms']],
  ['kept for an hour, nothing asked', facts(1, { 'retention.ms': '3600000' }), {}, []],
  ['a bound in bytes', facts(1, { 'retention.bytes': '1000' }), { retentionMs: 1 }, ['retention.bytes']],
]
for (const [name, topic, over, expected] of judgements) {
  test(`what is told of a topic: ${name}`, () => {
    const found = findingsOf(topic, { partitions: 6, replication: -1, ...over })
    assert.deepEqual(
      found.map(({ setting }) => setting),
      expected,
    )
  })
}
