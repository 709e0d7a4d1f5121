import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { gzip, zstdCompress } from 'node:zlib'
import kafkajs, { CompressionTypes, Kafka, logLevel, Partitioners, type Producer } from 'kafkajs'
import type { PartitionRange, ReadOptions, TopicReader } from '../../../src/platform/kafka/consumer.ts'
import type { ReadRecord } from '../../../src/platform/kafka/read-committed.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka, type TestKafka } from '../../support/kafka-broker.ts'
import { makeTopic } from '../../support/make-topic.ts'
import { readerOf } from '../../support/reconcile.ts'

const kafka = await startKafka()
const client = clientOf(kafka)
const admin = client.admin()
await admin.connect()
const reader = readerOf(kafka.brokers)
const producers: Producer[] = []
after(async () => {
  await Promise.all([reader.close(), admin.disconnect(), ...producers.map((producer) => producer.disconnect())])
  await kafka.stop()
})

function clientOf({ brokers }: TestKafka): Kafka {
  return new Kafka({ brokers, logLevel: logLevel.NOTHING })
}

async function newTopic(numPartitions = 1, on = admin): Promise<string> {
  const topic = `reader-${randomUUID()}`
  await makeTopic(on, { topic, numPartitions, replicationFactor: 1 })
  return topic
}

async function newProducer(transactionalId?: string, of = client): Promise<Producer> {
  const producer = of.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    transactionalId,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  producers.push(producer)
  await producer.connect()
  return producer
}

const plain = await newProducer()
const messages = (...values: string[]) => values.map((value) => ({ key: 'k', value, partition: 0 }))
const valuesOf = (records: readonly ReadRecord[]) => records.map(({ value }) => String(value))

async function readAll(ranges: readonly PartitionRange[], on: ReadOptions = {}, from: TopicReader = reader) {
  const records: ReadRecord[] = []
  for await (const round of from.read(ranges, on)) records.push(...round)
  return records
}
const readTopic = async (topic: string, on?: ReadOptions) => readAll(await reader.ranges([topic], 'oldest'), on)

test('a record is read with its place, key, headers, value and time', async () => {
  const topic = await newTopic()
  const headers = { ce_type: 'ä.b', twice: ['1', '2'], empty: '' }
  await plain.send({ topic, messages: [{ key: 'k', value: 'ü', headers, timestamp: '1700000000123' }] })
  await plain.send({ topic, messages: [{ key: null, value: null }] })
  const [first, second] = await readTopic(topic)
  const { key, value, ...rest } = first!
  assert.equal(String(key), 'k')
  assert.equal(String(value), 'ü')
  assert.equal(rest.offset, 0)
  assert.equal(rest.topic, topic)
  assert.equal(rest.headers.ce_type, 'ä.b')
  assert.equal(rest.headers.empty, '')
  assert.ok(['1', '2', '1,2'].includes(rest.headers.twice!))
  assert.ok(Math.abs(rest.timestampMs - Date.now()) < 600_000 || rest.timestampMs === 1700000000123)
  assert.deepEqual([second!.key?.length ?? 0, second!.value?.length ?? 0, second!.offset], [0, 0, 1])
})

test('all of many records on many partitions comes once, each partition in order, whatever packs them', async () => {
  const topic = await newTopic(4)
  const packers = { [CompressionTypes.GZIP]: promisify(gzip), [CompressionTypes.ZSTD]: promisify(zstdCompress) }
  for (const [type, pack] of Object.entries(packers)) {
    kafkajs.CompressionCodecs[Number(type) as CompressionTypes.GZIP] = () => ({
      compress: ({ buffer }: { buffer: Buffer }) => pack(buffer),
      decompress: () => Promise.reject(new Error('the reader has its own')),
    })
  }
  const compressions = [CompressionTypes.None, CompressionTypes.GZIP, CompressionTypes.ZSTD]
  for (const [round, compression] of [...compressions, ...compressions].entries()) {
    const batch = Array.from({ length: 4_000 }, (_, n) => ({
      key: 'k',
      partition: n % 4,
      value: `${String(round * 4_000 + n).padStart(6, '0')} ${'x'.repeat(300)}`,
    }))
    await plain.send({ topic, compression, messages: batch })
  }
  const records = await readTopic(topic)
  assert.equal(records.length, 24_000)
  for (let partition = 0; partition < 4; partition++) {
    const of = valuesOf(records.filter((record) => record.partition === partition))
    assert.equal(of.length, 6_000)
    assert.deepEqual(of, [...of].sort())
  }
})

test('a topic that is not there has no partitions, and is not made by asking', async () => {
  const topic = `reader-${randomUUID()}`
  assert.deepEqual(await reader.ranges([topic], 'oldest'), [])
  assert.ok(!(await admin.listTopics()).includes(topic))
})

test('an empty topic ends at once', async () => {
  assert.deepEqual(await readTopic(await newTopic(3)), [])
})

test('what comes after the end that was asked for is not read', async () => {
  const topic = await newTopic()
  await plain.send({ topic, messages: messages('a', 'b') })
  const ranges = await reader.ranges([topic], 'oldest')
  await plain.send({ topic, messages: messages('c') })
  assert.deepEqual(valuesOf(await readAll(ranges)), ['a', 'b'])
})

test('reading may begin at a time, between two batches', async () => {
  const topic = await newTopic()
  await plain.send({ topic, messages: messages('a') })
  const [first] = await readTopic(topic)
  await eventually(() => assert.ok(Date.now() > first!.timestampMs + 5))
  await plain.send({ topic, messages: messages('b') })
  const ranges = await reader.ranges([topic], { timeMs: first!.timestampMs + 1 })
  assert.deepEqual(valuesOf(await readAll(ranges)), ['b'])
  const later = await reader.ranges([topic], { timeMs: Date.now() + 3_600_000 })
  assert.deepEqual(await readAll(later), [])
})

test('a committed transaction is read and an aborted one is not, though its records are there', async () => {
  const topic = await newTopic()
  const producer = await newProducer(randomUUID())
  for (const [value, ends] of [
    ['a', 'commit'],
    ['b', 'abort'],
    ['c', 'commit'],
  ] as const) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: messages(value) })
    await transaction[ends]()
  }
  assert.deepEqual(valuesOf(await readTopic(topic)), ['a', 'c'])
})

test('a topic with nothing but aborted records ends by itself', async () => {
  const topic = await newTopic()
  const producer = await newProducer(randomUUID())
  for (let round = 0; round < 3; round++) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: messages('never') })
    await transaction.abort()
  }
  const ranges = await reader.ranges([topic], 'oldest')
  assert.equal(ranges[0]!.end, 6, 'three records and three markers')
  assert.deepEqual(await readAll(ranges), [])
  assert.deepEqual(await readAll([{ ...ranges[0]!, from: 5 }]), [], 'from a marker')
})

test('of transactions open at the same time each goes its own way, from wherever one begins to read', async () => {
  const topic = await newTopic()
  const [first, second, third] = await Promise.all([
    newProducer(`a${topic}`),
    newProducer(`b${topic}`),
    newProducer(`c${topic}`),
  ])
  const [one, two, three] = [await first.transaction(), await second.transaction(), await third.transaction()]
  const write = (transaction: typeof one, value: string) => transaction.send({ topic, messages: messages(value) })
  await write(one, 'x1')
  await write(two, 'x2')
  await write(three, 'c3')
  await write(two, 'x4')
  await write(one, 'x5')
  await plain.send({
    topic,
    messages: [{ key: Buffer.from([0, 0, 0, 0]), value: 'plain, with the key of a marker', partition: 0 }],
  })
  await write(two, 'x7')
  await two.abort()
  await write(one, 'x9')
  await three.commit()
  await one.abort()
  await plain.send({ topic, messages: messages('end') })
  const [range] = await reader.ranges([topic], 'oldest')
  const all = await readAll([range!])
  assert.deepEqual(valuesOf(all), ['c3', 'plain, with the key of a marker', 'end'])
  for (let from = 0; from <= range!.end; from++) {
    const expected = valuesOf(all.filter(({ offset }) => offset >= from))
    assert.deepEqual(valuesOf(await readAll([{ ...range!, from }])), expected, `from ${from}`)
  }
})

test('an open transaction is waited for, and then left, and it is said where', async () => {
  const topic = await newTopic()
  const producer = await newProducer(randomUUID())
  await plain.send({ topic, messages: messages('before') })
  const transaction = await producer.transaction()
  await transaction.send({ topic, messages: messages('hidden') })
  await plain.send({ topic, messages: messages('behind it') })
  const ranges = await reader.ranges([topic], 'oldest')
  const heldBack: number[] = []
  const onHeldBack = (_: PartitionRange, offset: number) => heldBack.push(offset)
  assert.deepEqual(valuesOf(await readAll(ranges, { openTransactionPatienceMs: 300, onHeldBack })), ['before'])
  assert.deepEqual(heldBack, [1])
  const reading = readAll(ranges)
  await transaction.commit()
  assert.deepEqual(valuesOf(await reading), ['before', 'hidden', 'behind it'])
})

test('what retention has dropped is told by the oldest offset, and reading begins there', async () => {
  const topic = await newTopic()
  for (const value of ['a', 'b', 'c']) await plain.send({ topic, messages: messages(value) })
  await admin.fetchTopicOffsets(topic) // or kafkajs does not know its leader
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
  const [range] = await reader.ranges([topic], 'oldest')
  assert.equal(range!.oldest, 2)
  assert.deepEqual(valuesOf(await readAll([{ ...range!, from: 0 }])), ['c'], 'dropped while it was read')
})

test('it leaves no group behind', async () => {
  const topic = await newTopic()
  await plain.send({ topic, messages: messages('a') })
  const before = (await admin.listGroups()).groups.map(({ groupId }) => groupId)
  await readTopic(topic)
  const described = await admin.describeGroups((await admin.listGroups()).groups.map(({ groupId }) => groupId))
  const ours = described.groups.filter(({ members }) => members.some(({ clientId }) => clientId === 'reconcile-test'))
  assert.deepEqual(ours, [], `before: ${before.length}`)
})

test('following goes on for ever, takes up new topics, and ends with its signal', async () => {
  const topic = await newTopic()
  const later = `reader-${randomUUID()}`
  const ending = new AbortController()
  const read: string[] = []
  const ranges = await reader.ranges([topic, later], 'end')
  const following = (async () => {
    for await (const records of reader.read(ranges, { follow: [topic, later], signal: ending.signal }))
      read.push(...valuesOf(records))
  })()
  await plain.send({ topic, messages: messages('a') })
  await eventually(() => assert.deepEqual(read, ['a']), { timeoutMs: 10_000 })
  await admin.createTopics({ topics: [{ topic: later, numPartitions: 1, replicationFactor: 1 }], waitForLeaders: true })
  await plain.send({ topic: later, messages: messages('b') })
  await eventually(() => assert.deepEqual(read, ['a', 'b']), { timeoutMs: 20_000 })
  ending.abort()
  await following
})

test('brokers that are away are waited for: a follower goes on without a gap or a repetition', async () => {
  const own = await startKafka({ ownBroker: true })
  const ownReader = readerOf(own.brokers)
  const ownClient = clientOf(own)
  const ownAdmin = ownClient.admin()
  try {
    await ownAdmin.connect()
    const topic = await newTopic(1, ownAdmin)
    const producer = await newProducer(undefined, ownClient)
    const ending = new AbortController()
    const read: string[] = []
    const troubles: Error[] = []
    const ranges = await ownReader.ranges([topic], 'end')
    const on = { follow: [topic], signal: ending.signal, onTrouble: (error: Error) => troubles.push(error) }
    const following = (async () => {
      for await (const records of ownReader.read(ranges, on)) read.push(...valuesOf(records))
    })()
    await producer.send({ topic, messages: messages('a') })
    await eventually(() => assert.deepEqual(read, ['a']), { timeoutMs: 10_000 })
    await producer.disconnect()
    await own.killBroker()
    await eventually(() => assert.ok(troubles.length > 0), { timeoutMs: 20_000 })
    await assert.rejects(
      readAll(
        ranges.map((range) => ({ ...range, end: 9 })),
        { patienceMs: 200 },
        readerOf(own.brokers),
      ),
      {
        code: 'KAFKA_UNAVAILABLE',
      },
    )
    await own.startBroker()
    const again = await newProducer(undefined, ownClient)
    await again.send({ topic, messages: messages('b') })
    await eventually(() => assert.deepEqual(read, ['a', 'b']), { timeoutMs: 30_000 })
    assert.equal((troubles[0] as { code?: string }).code, 'KAFKA_UNAVAILABLE')
    ending.abort()
    await following
    await again.disconnect()
  } finally {
    await Promise.all([ownReader.close(), ownAdmin.disconnect()])
    await own.stop()
  }
})
