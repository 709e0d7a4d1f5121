import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Partitioners } from 'kafkajs'
import { notificationIdOf } from '../../src/domain/ids.ts'
import { feedTopics } from '../../src/pipeline/stream/cloud-event.ts'
import { OperationalError } from '../../src/platform/errors.ts'
import { partitionOf } from '../../src/platform/kafka/partition.ts'
import { createKafkaPublisher, type KafkaMessage } from '../../src/platform/kafka/publisher.ts'
import type { TransactionalPublisher } from '../../src/platform/kafka/transactional-publisher.ts'
import type { RelayDeps } from '../../src/workers/relay.ts'
import { appendEvents, newIntent, newNotification, newTenant } from '../pipeline/stream/append-events.ts'
import { eventually } from '../support/eventually.ts'
import { arrived, assertTheLog, leads, logger, relayWorld } from './relay-world.ts'

const world = await relayWorld()
const { owner, kafka, start, consume } = world

const verbs = ['requested', 'retrying', 'sent', 'delivered', 'read']

test('16 writers, one of them slow: everything arrives once, each notification in order', async () => {
  const watched = start()
  await leads(watched)
  const received = await consume()
  const tenantId = newTenant()
  const slow = await owner.connect()
  await slow.query('begin')
  const ids = await appendEvents(slow, [{ tenantId, subjectId: newNotification() }])
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let round = 0; round < 10; round++) {
        const subjects = [newNotification(), newNotification()]
        for (const verb of verbs) {
          const events = subjects.map((subjectId) => ({ tenantId, subjectId, type: `notification.email.${verb}` }))
          ids.push(...(await appendEvents(owner, events)))
        }
      }
    }),
  )
  assert.deepEqual(watched.published, [], 'the open transaction might still precede them')
  ids.push(...(await appendEvents(slow, [{ tenantId, subjectId: newNotification() }])))
  await slow.query('commit')
  slow.release()
  await arrived(received, ids)
  assertTheLog(received, await world.logOf())
  const types = new Map<string, string[]>()
  for (const { key, headers } of received) types.set(key, [...(types.get(key) ?? []), headers.ce_type!])
  const story = verbs.map((verb) => `notification.email.${verb}`)
  assert.equal([...types.values()].filter((seen) => seen.join() === story.join()).length, 320)
})

test('an encoder of long messages gets a few events at a time, and the feed is the same', async () => {
  const encoder = world.encoder()
  const sizes: number[] = []
  const few = {
    ...encoder,
    mostEvents: 7,
    encode(events: Parameters<typeof encoder.encode>[0]) {
      sizes.push(events.length)
      return encoder.encode(events)
    },
  }
  const [tenantId, subjectId] = [newTenant(), newNotification()]
  const ids = await appendEvents(
    owner,
    Array.from({ length: 30 }, () => ({ tenantId, subjectId })),
  )
  await leads(start({ encoder: few }))
  const received = await consume()
  await arrived(received, ids)
  assertTheLog(received, await world.logOf())
  assert.equal(Math.max(...sizes), 7) // a broker that is not ready makes it begin anew, so how often is not told
})

const cloudEventsTable: [attribute: string, required: boolean, form: RegExp][] = [
  ['ce_specversion', true, /^1\.0$/],
  ['ce_id', true, /^[0-9a-f-]{36}$/],
  ['ce_source', true, /^\/carillon\/[0-9a-f-]{36}$/],
  ['ce_type', true, /^[a-z_]+(\.[a-z_]+)+$/],
  ['ce_subject', true, /^[0-9a-f-]{36}$/],
  ['ce_time', true, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/],
  ['content-type', true, /^application\/json$/],
  ['ce_partitionkey', true, /^[0-9a-f-]{36}$/],
  ['ce_sequence', true, /^\d{20}-[0-9a-f-]{36}$/],
  ['ce_tenantid', true, /^[0-9a-f-]{36}$/],
  ['ce_traceparent', false, /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/],
  ['ce_correlationid', false, /./],
  ['ce_dataschema', true, /^urn:carillon:feed:\d+:[A-Z][A-Za-z]+$/],
  ['ce_idempotencykey', false, /./],
]

test('what a consumer reads is CloudEvents 1.0 in binary mode, by the table, on the topic and key that were promised', async () => {
  await leads(start())
  const received = await consume()
  const tenantId = newTenant()
  const [intent, notification] = [newIntent(), newNotification()]
  const delivery = `${notification.slice(0, 34)}01`
  const data = { correlation_id: 'bestellung-ü', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, attempt: 1 }
  const cases: [subjectId: string, type: string, topic: string][] = [
    [intent, 'notification.intent.received', 'notification.intents'],
    [delivery, 'notification.email.sent', 'notification.email'],
    [delivery, 'notification.dead_lettered', 'notification.dlq'],
    [notification, 'notification.cancelled', 'notification.intents'],
  ]
  const events = cases.map(([subjectId, type], n) => ({ tenantId, subjectId, type, data: n === 1 ? data : {} }))
  await arrived(received, await appendEvents(owner, events))
  for (const [subjectId, type, topic] of cases) {
    const message = received.find(({ headers }) => headers.ce_type === type)!
    assert.equal(message.topic, topic)
    assert.equal(message.key, notificationIdOf(subjectId))
    assert.equal(message.headers.ce_partitionkey, message.key)
    assert.equal(message.partition, partitionOf(Buffer.from(message.key), 3))
    assert.equal(message.value.id, message.headers.ce_id)
    for (const [attribute, required, form] of cloudEventsTable) {
      const value = message.headers[attribute]
      if (required || value !== undefined) assert.match(value ?? '', form, attribute)
    }
    const known = cloudEventsTable.map(([attribute]) => attribute)
    assert.deepEqual(
      Object.keys(message.headers).filter((name) => !known.includes(name)),
      [],
    )
    assert.ok(Object.keys(message.headers).every((name) => /^(ce_[a-z0-9]{1,20}|content-type)$/.test(name)))
  }
  const sent = received.find(({ headers }) => headers.ce_type === 'notification.email.sent')!
  assert.equal(sent.headers.ce_correlationid, data.correlation_id)
  assert.equal(sent.headers.ce_traceparent, data.traceparent)
  assert.equal(sent.value.delivery_id, delivery)
})

test('of two relays one publishes, and when it stops the other goes on without a gap or a repetition', async () => {
  const pair = [start(), start()]
  await eventually(() => assert.deepEqual(pair.map(({ relay }) => relay.state()).sort(), ['leading', 'standby']), {
    timeoutMs: 30_000,
  })
  const received = await consume()
  const tenantId = newTenant()
  const some = () =>
    appendEvents(
      owner,
      Array.from({ length: 120 }, () => ({ tenantId, subjectId: newNotification() })),
    )
  const ids = await some()
  await arrived(received, ids)
  const leader = pair.findIndex(({ published }) => published.length > 0)
  const other = pair[1 - leader]!
  assert.deepEqual(other.published, [])
  await pair[leader]!.relay.stop()
  assert.equal(pair[leader]!.relay.state(), 'off')
  ids.push(...(await some()))
  await arrived(received, ids)
  // A broker that has just started says so until it has made the topics of its transactions.
  const failed = pair.flatMap(({ failed }) => failed).filter((reason) => reason !== 'broker_unavailable')
  assert.deepEqual(failed, [])
})

test('a leader that cannot reach the broker for long gives the lead to one that can', async () => {
  const cutOff = world.publisher(['127.0.0.1:1'])
  const first = start({ publisher: cutOff, brokerPatienceMs: 100 })
  await eventually(() => assert.ok(first.failed.includes('broker_unavailable')))
  await leads(start())
})

test('a leader whose lock is cut off stands for the lead again and goes on without a gap', async () => {
  const watched = start()
  await leads(watched)
  const received = await consume()
  const tenantId = newTenant()
  const one = () => appendEvents(owner, [{ tenantId, subjectId: newNotification() }])
  const ids = await one()
  await arrived(received, ids)
  await owner.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'carillon-leader' and datname = current_database()`,
  )
  await eventually(() => assert.deepEqual(watched.failed, ['lead_lost']))
  ids.push(...(await one()))
  await arrived(received, ids)
})

test('a stop does not wait for a broker that never answers, and the batch counts as unsent', async () => {
  await appendEvents(owner, [{ tenantId: newTenant(), subjectId: newNotification() }])
  const asked = Promise.withResolvers<void>()
  const publisher: TransactionalPublisher = {
    ensureTopics: async () => [],
    takeOver: async () => ({
      position: undefined,
      send: () => {
        asked.resolve()
        return new Promise(() => {})
      },
      commit: async () => {},
    }),
    disconnect: async () => {},
  }
  const { relay, published } = start({ publisher, stopPatienceMs: 50 })
  await asked.promise
  await relay.stop()
  assert.deepEqual(published, [])
  const { rows } = await owner.query('select xid::text from carillon.feed_cursors')
  assert.deepEqual(rows, [{ xid: '0' }])
})

test('the cursor of another database is refused, and nothing is published', async () => {
  await owner.query(
    `insert into carillon.feed_cursors values ('kafka', 'another', '5', $1, true, now())`.replace(
      '$1',
      `'${newNotification()}'`,
    ),
  )
  const { failed, published, relay } = start()
  await eventually(() => assert.deepEqual(failed, ['other_database']))
  await relay.stop()
  assert.deepEqual(published, [])
})

test('without brokers the lane is switched off, once and clearly; with them it is on', async () => {
  const enabled = async () => {
    const { rows } = await owner.query(`select enabled from carillon.feed_cursors where lane = 'kafka'`)
    return rows.map((row) => row.enabled)
  }
  const first = start()
  await leads(first)
  assert.deepEqual(await enabled(), [true])
  await first.relay.stop()
  const said: string[] = []
  const quiet = { info: (text: string) => void said.push(text), warn() {}, error() {} }
  const { relay } = start({ publisher: undefined, logger: quiet as unknown as RelayDeps['logger'] })
  await eventually(async () => assert.deepEqual(await enabled(), [false]))
  assert.equal(relay.state(), 'off')
  assert.equal(said.length, 1)
  assert.match(said[0]!, /no Kafka brokers are configured/)
})

test('a topic that is there with fewer partitions is reported and used', async () => {
  const publisher = createKafkaPublisher({
    brokers: kafka.brokers,
    clientId: 'shortfall',
    ssl: false,
    compression: 'gzip',
    logger,
  })
  const topic = `${world.topicPrefix}carillon.system`
  assert.deepEqual(await publisher.ensureTopics([topic], { partitions: 2, replication: -1 }), [])
  assert.deepEqual(await publisher.ensureTopics([topic], { partitions: 5, replication: -1 }), [
    { topic, setting: 'partitions', found: '2', meaning: 'fewer than the 5 configured' },
  ])
})

test('what is found of a topic is told once, however often the relay prepares to lead', async () => {
  const finding = { topic: 't', setting: 'partitions', found: '1', meaning: 'fewer than the 6 configured' } as const
  let prepared = 0
  const publisher: TransactionalPublisher = {
    ensureTopics: async () => {
      prepared++
      return [finding]
    },
    takeOver: () => Promise.reject(new OperationalError('KAFKA_UNAVAILABLE', 'away')),
    disconnect: async () => {},
  }
  const told: unknown[] = []
  const silence = { info: () => {}, warn: () => {}, error: () => {} }
  const listening = { ...silence, warn: (what: object) => void ('topic' in what && told.push(what)) }
  world.start({ publisher, logger: listening })
  await eventually(() => assert.ok(prepared >= 3))
  assert.deepEqual(told, [finding])
})

test('a batch of one key that is larger than a broker takes at once arrives whole and in order', async () => {
  const publisher = createKafkaPublisher({
    brokers: kafka.brokers,
    clientId: 'large',
    ssl: false,
    compression: 'gzip',
    logger,
  })
  const topics = feedTopics.map((topic) => world.topicPrefix + topic)
  await publisher.ensureTopics(topics, { partitions: 2, replication: -1 })
  const noise = () => Array.from({ length: 60 }, () => randomUUID()).join('')
  const batch = Array.from({ length: 2_000 }, (_, n): KafkaMessage => {
    const place = String(n).padStart(6, '0')
    const headers = { ce_id: place, ce_sequence: place }
    return { topic: topics[0]!, key: 'one', headers, value: JSON.stringify({ noise: noise() }) }
  })
  await publisher.publish(batch)
  await publisher.disconnect()
  const received = await consume()
  await arrived(
    received,
    batch.map(({ headers }) => headers.ce_id!),
  )
  assert.ok(
    received.every(({ headers }, n) => n === 0 || received[n - 1]!.headers.ce_sequence! < headers.ce_sequence!),
    'in order',
  )
})

test('an unknown topic is an operational error, and the publisher works again afterwards', async () => {
  const publisher = createKafkaPublisher({
    brokers: kafka.brokers,
    clientId: 'unknown',
    ssl: false,
    compression: 'gzip',
    logger,
  })
  const message = { topic: `${world.topicPrefix}nowhere`, key: 'k', headers: {}, value: '{}' }
  await assert.rejects(publisher.publish([message]), { name: 'OperationalError', code: /^KAFKA_/ })
  await publisher.ensureTopics([message.topic], { partitions: 1, replication: -1 })
  await publisher.publish([message])
  await publisher.disconnect()
})

test('a key’s partition is the one that Kafka’s own clients choose', () => {
  const theirs = Partitioners.DefaultPartitioner()
  const partitionMetadata = Array.from({ length: 7 }, (_, partitionId) => ({ partitionId, leader: 1 }))
  for (const key of ['', 'a', 'ab', 'abc', 'abcd', 'é', ...Array.from({ length: 500 }, newNotification)]) {
    const message = { key: Buffer.from(key), value: '' }
    const expected = theirs({ topic: 't', partitionMetadata: partitionMetadata as never, message })
    assert.equal(partitionOf(message.key, 7), expected, key)
  }
})
