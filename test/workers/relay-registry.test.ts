import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import avsc from 'avsc'
import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { createFeedEncoder } from '../../src/pipeline/stream/feed-encoder.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createTransactionalPublisher } from '../../src/platform/kafka/transactional-publisher.ts'
import { createLeaderLock } from '../../src/platform/leader-lock.ts'
import { createSchemaRegistry } from '../../src/platform/schema-registry.ts'
import { type RelayFailure, startRelay } from '../../src/workers/relay.ts'
import { appendEvents, newNotification, newTenant } from '../pipeline/stream/append-events.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startFakeRegistry } from '../support/fake-schema-registry.ts'
import { startKafka } from '../support/kafka-broker.ts'

const database = await testDatabase()
const kafka = await startKafka()
const registry = await startFakeRegistry()
after(async () => {
  await registry.close()
  await kafka.stop()
})

test('the relay waits for the registry; then a consumer that has its address and nothing else reads every event', async () => {
  const owner = database.pool()
  const logger = pino({ level: 'silent' })
  const topicPrefix = `t${randomUUID().slice(0, 8)}.`
  const failed = new Set<RelayFailure>()
  const client = createSchemaRegistry({ url: registry.url, autoRegister: true })
  registry.trouble = { status: 503, body: '' }
  const ids = await appendEvents(
    owner,
    Array.from({ length: 40 }, () => ({ tenantId: newTenant(), subjectId: newNotification() })),
  )
  const relay = startRelay({
    pool: database.pool('carillon_worker'),
    publisher: createTransactionalPublisher({
      brokers: kafka.brokers,
      clientId: 'r',
      ssl: false,
      compression: 'gzip',
      logger,
    }),
    leaderLock: createLeaderLock({ databaseUrl: database.url, retryMs: 200, logger }),
    clock: systemClock,
    metrics: { published: () => {}, failed: (reason) => failed.add(reason) },
    logger,
    topicPrefix,
    encoder: createFeedEncoder({ topicPrefix, avro: { registered: { registry: client, subjects: 'topic' } } }),
    partitions: 3,
    replication: 1,
    idlePollMs: 20,
  })
  await eventually(() => assert.equal(relay.state(), 'waiting for broker'), { timeoutMs: 20_000 })
  assert.deepEqual([...failed], ['schema_registry_unavailable'])
  registry.trouble = undefined
  await eventually(() => assert.equal(relay.state(), 'leading'), { timeoutMs: 20_000 })

  const consumer = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).consumer({ groupId: randomUUID() })
  const read: string[] = []
  await consumer.connect()
  const topics = [...registry.subjects.keys()].map((subject) => subject.replace(/-value$/, ''))
  await consumer.subscribe({ topics, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      const bytes = message.value!
      const answer = await fetch(`${registry.url}/schemas/ids/${bytes.readInt32BE(1)}`)
      const { schema } = (await answer.json()) as { schema: string }
      const event = avsc.Type.forSchema(JSON.parse(schema)).fromBuffer(bytes.subarray(5)) as { id: string }
      assert.equal(event.id, String(message.headers?.ce_id))
      read.push(event.id)
    },
  })
  await eventually(() => assert.deepEqual(read.toSorted(), [...ids].sort()), { timeoutMs: 30_000 })
  await consumer.disconnect()
  await relay.stop()
})
