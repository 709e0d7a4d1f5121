import assert from 'node:assert/strict'
import { after, afterEach, beforeEach, test } from 'node:test'
import { CompressionTypes, Partitioners } from 'kafkajs'
import { eventually } from '../support/eventually.ts'
import { startKafka } from '../support/kafka-broker.ts'
import { createWorld } from '../support/world.ts'
import { cloudEvent, createRig, type Rig, request } from './bridge-rig.ts'

const world = await createWorld()
const kafka = await startKafka()
after(() => kafka.stop())
let rig: Rig

beforeEach(async () => {
  await world.admin.query(
    'delete from carillon.intents; delete from carillon.parked_messages; delete from carillon.idempotency_keys',
  )
  rig = await createRig(world, kafka.brokers)
})
afterEach(() => rig.close())

const soon = (check: () => Promise<void> | void, timeoutMs = 30_000) => eventually(check, { timeoutMs })

test('a request and a business event each become one intent', async () => {
  const requests = await rig.topic('requests')
  const events = await rig.topic('shop.events', 2)
  await rig.send(requests, [{ value: request(world.tenant, 'k1', { priority: 'HIGH', correlationId: 'c1' }) }])
  await rig.send(events, [
    {
      key: 'a',
      headers: cloudEvent(world.tenant, 'e1', {
        ce_correlationid: 'c2',
        ce_traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      }),
      value: '{"order":"A-1"}',
    },
  ])
  const watched = rig.start(['$requests=request', '$' + '{domain}.events=event'])
  await soon(async () => assert.equal(await rig.intents(), 2))
  const rows = await world.rows(
    'select tenant_id, kind, type, priority, idempotency_key, event_id, correlation_id, traceparent, source, payload from carillon.intents order by kind',
  )
  assert.deepEqual(
    rows.map(({ payload: _, ...row }) => row),
    [
      {
        tenant_id: world.tenant,
        kind: 'direct',
        type: 'commerce.order.shipped',
        priority: 2,
        idempotency_key: 'k1',
        event_id: null,
        correlation_id: 'c1',
        traceparent: null,
        source: 'kafka',
      },
      {
        tenant_id: world.tenant,
        kind: 'event',
        type: 'commerce.order.placed',
        priority: 1,
        idempotency_key: '/orders e1',
        event_id: 'e1',
        correlation_id: 'c2',
        traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
        source: 'kafka',
      },
    ],
  )
  assert.deepEqual(rows[0]!.payload.channels, ['email'])
  assert.deepEqual(rows[1]!.payload.event, {
    domain: 'shop',
    source: '/orders',
    occurredAt: '2026-11-20T12:00:00.000Z',
  })
  assert.equal(watched.outcomes.get('accepted'), 2)
  await soon(() => assert.equal(watched.lag.get(requests), 0))
  assert.deepEqual(await rig.parked(), [])
})

test('what comes twice is one intent, and the same key with other content is parked', async () => {
  const topic = await rig.topic('requests')
  await rig.send(topic, [
    { value: request(world.tenant, 'k') },
    { value: request(world.tenant, 'k') },
    { value: request(world.tenant, 'k', { body: 'Other.' }) },
    { value: request(world.otherTenant, 'k', { body: 'Other.' }) },
    { value: request(world.tenant, undefined) },
    { value: request(world.tenant, undefined) },
    { headers: cloudEvent(world.tenant, 'e'), value: request(world.tenant, undefined) },
    { headers: cloudEvent(world.tenant, 'e'), value: request(world.tenant, undefined) },
  ])
  const watched = rig.start(['$requests=request'])
  await soon(() =>
    assert.deepEqual([...watched.outcomes].sort(), [
      ['accepted', 5],
      ['conflict', 1],
      ['duplicate', 2],
    ]),
  )
  assert.equal(await rig.intents(), 5)
  assert.deepEqual(
    (await rig.parked()).map(({ reason, offset }) => [reason, offset]),
    [['conflict', '2']],
  )
})

for (const [name, type] of Object.entries({ gzip: CompressionTypes.GZIP, none: CompressionTypes.None })) {
  test(`a topic of several partitions is read to its end, ${name}`, async () => {
    const topic = await rig.topic('requests', 6)
    for (let at = 0; at < 5; at++) {
      await rig.send(
        topic,
        Array.from({ length: 1_000 }, (_, index) => ({
          key: `${at}-${index}`,
          value: request(world.tenant, `${at}-${index}`),
        })),
        type,
      )
    }
    const watched = rig.start(['$requests=request'])
    await soon(() => assert.equal(watched.outcomes.get('accepted'), 5_000))
    assert.equal(await rig.intents(), 5_000)
    const [stored] = await world.rows(
      'select sum(next_offset)::int as sum, count(*)::int as partitions from carillon.bridge_offsets where topic = $1',
      [topic],
    )
    assert.deepEqual(stored, { sum: 5_000, partitions: 6 })
  })
}

test('a topic that was made anew is read from its beginning, and the writers’ keys keep what was read from coming twice', async () => {
  const topic = await rig.topic('requests')
  const old = Array.from({ length: 50 }, (_, index) => ({ value: request(world.tenant, `k${index}`) }))
  await rig.send(topic, old)
  const watched = rig.start(['$requests=request'], { pageMessages: 10 })
  await soon(() => assert.equal(watched.outcomes.get('accepted'), 50))
  const admin = rig.kafka.admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [topic] })
  await soon(async () => assert.ok(!(await admin.listTopics()).includes(topic)))
  await soon(() => admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true }).then(() => {}))
  await admin.disconnect()
  await rig.send(topic, [
    { value: request(world.tenant, 'k7') },
    { value: request(world.tenant, 'new') },
    { value: request(world.tenant, undefined) },
  ])
  await soon(() =>
    assert.deepEqual([...watched.outcomes].sort(), [
      ['accepted', 52],
      ['duplicate', 1],
    ]),
  )
  const [stored] = await world.rows('select next_offset::int, resets from carillon.bridge_offsets where topic = $1', [
    topic,
  ])
  assert.deepEqual(stored, { next_offset: 3, resets: 1 })
})

test('what retention took is counted and told, and the rest is read', async () => {
  const topic = await rig.topic('requests')
  const messages = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({ value: request(world.tenant, `k${from + index}`) }))
  await rig.send(topic, messages(0, 20))
  const first = rig.start(['$requests=request'])
  await soon(() => assert.equal(first.outcomes.get('accepted'), 20))
  await first.bridge.stop()
  await rig.send(topic, messages(20, 30))
  const admin = rig.kafka.admin()
  await admin.connect()
  await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '35' }] })
  await admin.disconnect()
  const second = rig.start(['$requests=request'])
  await soon(() =>
    assert.deepEqual([...second.outcomes].sort(), [
      ['accepted', 15],
      ['lost', 15],
    ]),
  )
  assert.equal(await rig.intents(), 35)
})

test('a new topic begins at its end where that is wanted, and its later partitions at their beginning', async () => {
  const topic = await rig.topic('requests')
  await rig.send(topic, [{ value: request(world.tenant, 'old') }])
  const watched = rig.start(['$requests=request'], { startAt: 'latest' })
  const positions = () =>
    world.rows('select partition, next_offset::int from carillon.bridge_offsets where topic = $1 order by 1', [topic])
  await soon(async () => assert.deepEqual(await positions(), [{ partition: 0, next_offset: 1 }]))
  const admin = rig.kafka.admin()
  await admin.connect()
  await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })
  await admin.disconnect()
  // Ours does not know of the partition, and would not ask.
  const producer = rig.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  await producer.send({ topic, messages: [{ partition: 1, value: request(world.tenant, 'new') }] })
  await producer.disconnect()
  await soon(() => assert.equal(watched.outcomes.get('accepted'), 1), 50_000)
  assert.equal(await rig.intents(), 1)
})

test('a topic that comes later is found, if a pattern fits it', async () => {
  const watched = rig.start(['$*.events=event'])
  await soon(() => assert.equal(watched.bridge.state(), 'waiting for topics'))
  for (const name of ['shop.events', 'bank.events']) {
    const topic = await rig.topic(name)
    await rig.send(topic, [{ headers: cloudEvent(world.tenant, name), value: '{}' }])
    await soon(async () =>
      assert.equal((await world.rows('select 1 from carillon.intents where event_id = $1', [name])).length, 1),
    )
  }
})

test('while the backlog is too old the partitions wait, but for what is CRITICAL', async () => {
  const topic = await rig.topic('requests', 2)
  let ageMs = 60_000
  await rig.producer.send({
    topic,
    messages: [
      { partition: 0, value: request(world.tenant, 'bulk') },
      { partition: 1, value: request(world.tenant, 'urgent', { priority: 'CRITICAL' }) },
    ],
  })
  const watched = rig.start(['$requests=request'], { backlog: { ageMs: () => ageMs, mostMs: 1_000 } })
  await soon(() => assert.ok(watched.failed.filter((reason) => reason === 'overloaded').length > 3))
  await soon(async () =>
    assert.deepEqual(await world.rows('select idempotency_key as key from carillon.intents'), [{ key: 'urgent' }]),
  )
  ageMs = 0
  await soon(async () => assert.equal(await rig.intents(), 2))
})

test('a message that the database refuses is found and parked alone', async () => {
  const topic = await rig.topic('requests')
  await world.admin.query(`alter table carillon.intents add constraint test_refuses check (category <> 'bad')`)
  try {
    await rig.send(
      topic,
      Array.from({ length: 40 }, (_, index) => ({
        value: request(world.tenant, `k${index}`, { category: index === 13 ? 'bad' : 'good' }),
      })),
    )
    const watched = rig.start(['$requests=request'])
    await soon(() =>
      assert.deepEqual([...watched.outcomes].sort(), [
        ['accepted', 39],
        ['refused', 1],
      ]),
    )
    assert.deepEqual(
      (await rig.parked()).map(({ offset, detail }) => [offset, detail]),
      [['13', 'the database refuses it (23514)']],
    )
  } finally {
    await world.admin.query('alter table carillon.intents drop constraint test_refuses')
  }
})
