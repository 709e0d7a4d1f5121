import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, test } from 'node:test'
import { type Consumer, Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import {
  createTransactionalPublisher,
  type TransactionalPublisher,
} from '../../../src/platform/kafka/transactional-publisher.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka-broker.ts'

const kafka = await startKafka()
after(() => kafka.stop())
const client = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING })
const publishers: TransactionalPublisher[] = []
const consumers: Consumer[] = []
afterEach(async () => {
  await Promise.all([
    ...publishers.splice(0).map((publisher) => publisher.disconnect()),
    ...consumers.splice(0).map((consumer) => consumer.disconnect()),
  ])
})

function publisher(): TransactionalPublisher {
  const made = createTransactionalPublisher({
    brokers: kafka.brokers,
    clientId: 'transactions',
    ssl: false,
    compression: 'none',
    logger: pino({ level: 'silent' }),
  })
  publishers.push(made)
  return made
}

async function newFeed() {
  const topics = ['b', 'a'].map((name) => `t${randomUUID().slice(0, 8)}.${name}`)
  await publisher().ensureTopics(topics, { partitions: 2, replication: 1 })
  return { topics, topic: topics[0]!, as: { name: `relay-${topics[0]}`, positionTopic: topics[0]! } }
}

/** The values of the committed messages, as they come. */
async function committed(topics: string[]): Promise<string[]> {
  const consumer = client.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50, readUncommitted: false })
  consumers.push(consumer)
  const values: string[] = []
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => void values.push(String(message.value)) })
  return values
}

const message = (topic: string, value: string) => ({ topic, key: value, headers: {}, value })
const position = (offset: number, metadata = `at ${offset} äöü`) => ({ offset: String(offset), metadata })

test('messages and position count together, and the next who takes over finds them', async () => {
  const { topics, as } = await newFeed()
  const session = await publisher().takeOver(as)
  assert.equal(session.position, undefined)
  const values: string[] = []
  for (let n = 1; n <= 5; n++) {
    for (const part of ['a', 'b']) {
      await session.send(topics.map((to) => message(to, `${part}${n}${to}`)))
      values.push(...topics.map((to) => `${part}${n}${to}`))
    }
    await session.commit(position(n))
  }
  assert.deepEqual((await publisher().takeOver(as)).position, position(5))
  const read = await committed(topics)
  await eventually(() => assert.deepEqual(read.toSorted(), values.toSorted()))
})

test('what was not committed never happened: a successor ends it, and its author is fenced whatever it does next', async () => {
  const { topic, as } = await newFeed()
  const first = await publisher().takeOver(as)
  await first.send([message(topic, 'lost')])
  const second = await publisher().takeOver(as)
  assert.equal(second.position, undefined)
  await second.send([message(topic, 'kept')])
  await assert.rejects(first.commit(position(1)), { code: 'KAFKA_FENCED' })
  await second.commit(position(2))
  const third = await publisher().takeOver(as)
  await assert.rejects(second.send([message(topic, 'late')]), { code: 'KAFKA_FENCED' })
  await assert.rejects(second.send([message(topic, 'later')]), { code: 'KAFKA_UNAVAILABLE' })
  assert.deepEqual(third.position, position(2))
  await third.send([message(topic, 'more')])
  await third.commit(position(3))
  const read = await committed([topic])
  await eventually(() => assert.deepEqual(read.toSorted(), ['kept', 'more']))
})

test('a session that is thrown away ends its transaction, and who reads committed messages need not wait', async () => {
  const { topic, as } = await newFeed()
  const left = publisher()
  const session = await left.takeOver(as)
  await session.send([message(topic, 'aborted')])
  const plain = await publisher().takeOver({ ...as, name: `${as.name}-other` })
  await plain.send([message(topic, 'behind it')])
  await plain.commit(position(1))
  const read = await committed([topic])
  await left.disconnect()
  await eventually(() => assert.deepEqual(read, ['behind it']))
})

test('the position moves to another topic with its place', async () => {
  const { topics, as } = await newFeed()
  const publishing = publisher()
  await (await publishing.takeOver(as)).commit(position(7))
  const moved = { ...as, positionTopic: topics[1]! }
  const session = await publishing.takeOver(moved)
  assert.deepEqual(session.position, position(7))
  await session.commit(position(8))
  assert.deepEqual((await publishing.takeOver(as)).position, position(8))
})

test('a topic that is not there fails the session; the next one works', async () => {
  const { topic, as } = await newFeed()
  const publishing = publisher()
  const session = await publishing.takeOver(as)
  await assert.rejects(session.send([message(`${topic}.nowhere`, 'x')]), { name: 'OperationalError', code: /^KAFKA_/ })
  await assert.rejects(session.commit(position(1)), { code: 'KAFKA_UNAVAILABLE' })
  const next = await publishing.takeOver(as)
  await next.send([message(topic, 'y')])
  await next.commit(position(1))
  const read = await committed([topic])
  await eventually(() => assert.deepEqual(read, ['y']))
})

test('a broker that is not there is unavailable, and nothing is left behind', async () => {
  const publishing = createTransactionalPublisher({
    brokers: ['127.0.0.1:1'],
    clientId: 'nobody',
    ssl: false,
    compression: 'none',
    logger: pino({ level: 'silent' }),
  })
  await assert.rejects(publishing.takeOver({ name: 'n', positionTopic: 't' }), { code: 'KAFKA_UNAVAILABLE' })
  await publishing.disconnect()
})

test('of transactions that lay over each other and were aborted in another order, a reader of committed messages sees nothing', async () => {
  const { topic, as } = await newFeed()
  const [first, second] = [publisher(), publisher()]
  const long = await first.takeOver(as)
  const short = await second.takeOver({ ...as, name: `${as.name}-other` })
  for (const n of ['1', '2', '3']) {
    await long.send([message(topic, `long ${n}`)])
    await short.send([message(topic, `short ${n}`)])
  }
  await second.disconnect()
  await first.disconnect()
  const last = await publisher().takeOver(as)
  await last.send(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => message(topic, key)))
  await last.commit(position(1))
  const read = await committed([topic])
  await eventually(() => assert.ok(read.length >= 6))
  assert.deepEqual(read.toSorted(), ['a', 'b', 'c', 'd', 'e', 'f'])
})
