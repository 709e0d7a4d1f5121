import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Consumer, Kafka, logLevel, Partitioners } from 'kafkajs'
import type pg from 'pg'
import { pino } from 'pino'
import { notificationIdOf } from '../../src/domain/ids.ts'
import { feedTopics } from '../../src/pipeline/stream/cloud-event.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createKafkaPublisher, type KafkaMessage, type KafkaPublisher } from '../../src/platform/kafka.ts'
import { partitionOf } from '../../src/platform/kafka-partition.ts'
import { createLeaderLock } from '../../src/platform/leader-lock.ts'
import { type Relay, type RelayDeps, type RelayFailure, startRelay } from '../../src/workers/relay.ts'
import { appendEvents, newIntent, newNotification, newTenant } from '../pipeline/stream/append-events.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startKafka, type TestKafka } from '../support/kafka-broker.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')
const kafka = await startKafka()
const logger = pino({ level: 'silent' })

const relays: Relay[] = []
const consumers: Consumer[] = []
const children: ChildProcess[] = []
let topicPrefix = ''

beforeEach(async () => {
  topicPrefix = `t${randomUUID().slice(0, 8)}.`
  await owner.query('delete from carillon.feed_cursors; delete from carillon.status_log')
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all([
    ...relays.splice(0).map((relay) => relay.stop()),
    ...consumers.splice(0).map((consumer) => consumer.disconnect()),
  ])
})
after(() => kafka.stop())

interface Watched {
  relay: Relay
  published: number[]
  failed: RelayFailure[]
}

function start(over: Partial<RelayDeps> = {}, broker: TestKafka = kafka): Watched {
  const published: number[] = []
  const failed: RelayFailure[] = []
  const relay = startRelay({
    pool: worker,
    publisher: createKafkaPublisher({
      brokers: broker.brokers,
      clientId: 'relay-test',
      ssl: false,
      compression: 'gzip',
      logger,
    }),
    leaderLock: createLeaderLock({ databaseUrl: database.url, retryMs: 200, logger }),
    clock: systemClock,
    metrics: { published: (events) => published.push(events), failed: (reason) => failed.push(reason) },
    logger,
    topicPrefix,
    partitions: 3,
    replication: 1,
    idlePollMs: 20,
    batchEvents: 50,
    ...over,
  })
  relays.push(relay)
  return { relay, published, failed }
}

interface Received {
  topic: string
  partition: number
  key: string
  headers: Record<string, string>
  value: Record<string, unknown>
}

const leads = (watched: Watched) =>
  eventually(() => assert.equal(watched.relay.state(), 'leading'), { timeoutMs: 30_000 })

/** Everything on this test's topics, from their beginning, as it comes. The topics must be there. */
async function consume(broker: TestKafka = kafka): Promise<Received[]> {
  const client = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING })
  const consumer = client.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50 })
  consumers.push(consumer)
  const received: Received[] = []
  const read = new Set<string>()
  await consumer.connect()
  await consumer.subscribe({ topics: feedTopics.map((topic) => topicPrefix + topic), fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      const place = `${topic} ${partition} ${message.offset}`
      if (read.has(place)) return // the group was rebalanced: the consumer reads again what is in the log once
      read.add(place)
      const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)])
      received.push({
        topic: topic.slice(topicPrefix.length),
        partition,
        key: String(message.key),
        headers: Object.fromEntries(headers),
        value: JSON.parse(String(message.value)),
      })
    },
  })
  return received
}

const idsOf = (received: Received[]) => received.map((message) => message.headers.ce_id!)
const firstOnes = (received: Received[]) => {
  const seen = new Set<string>()
  return received.filter(({ headers }) => !seen.has(headers.ce_id!) && seen.add(headers.ce_id!))
}

/** The promise to consumers: per key and topic the log's order, and so sequences that rise. */
function assertOrder(received: Received[]): void {
  const last = new Map<string, string>()
  for (const { topic, key, headers } of firstOnes(received)) {
    const at = `${topic} ${key}`
    assert.ok((last.get(at) ?? '') < headers.ce_sequence!, `${at}: ${headers.ce_sequence} after ${last.get(at)}`)
    last.set(at, headers.ce_sequence!)
  }
}

async function arrived(received: Received[], ids: readonly string[], timeoutMs = 30_000): Promise<void> {
  await eventually(() => assert.equal(new Set(idsOf(received)).size, ids.length), { timeoutMs })
  assert.deepEqual([...new Set(idsOf(received))].sort(), [...ids].sort())
}

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
  assert.equal(received.length, ids.length, 'nothing came twice')
  assertOrder(received)
  const types = new Map<string, string[]>()
  for (const { key, headers } of received) types.set(key, [...(types.get(key) ?? []), headers.ce_type!])
  const story = verbs.map((verb) => `notification.email.${verb}`)
  assert.equal([...types.values()].filter((seen) => seen.join() === story.join()).length, 320)
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
    [notification, 'notification.cancelled', 'carillon.system'],
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
  const repeated = received.length - ids.length
  assert.equal(repeated, 0, `${repeated} repeated; failures: ${pair.flatMap(({ failed }) => failed)}`)
})

test('when the leader is killed with -9 in full flow, the standby takes over and repeats at most one batch', async () => {
  const script = fileURLToPath(new URL('../pipeline/stream/relay-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, database.url, kafka.brokers.join(','), topicPrefix], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let complaints = ''
  child.stderr.on('data', (text) => {
    complaints += text
  })
  const lines = createInterface(child.stdout)
  const tenantId = newTenant()
  const notifications = Array.from({ length: 40 }, newNotification)
  const ids: string[] = []
  let writing = true
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    while (writing) {
      const subjects = notifications.filter((__, n) => n % 4 === writer)
      ids.push(
        ...(await appendEvents(
          owner,
          subjects.map((subjectId) => ({ tenantId, subjectId })),
        )),
      )
    }
  })
  let publishedByChild = 0
  const failures: string[] = []
  lines.on('line', (line) => {
    const [what, told] = line.split(' ')
    if (what === 'published') publishedByChild += Number(told)
    else failures.push(line)
  })
  await eventually(() => assert.ok(publishedByChild > 200), { timeoutMs: 30_000 })
  const standby = start()
  child.kill('SIGKILL')
  const killedAt = performance.now()
  await once(child, 'exit')
  await eventually(() => assert.ok(standby.published.length > 0), { timeoutMs: 20_000 })
  const takeoverMs = performance.now() - killedAt
  writing = false
  await Promise.all(writers)
  const received = await consume()
  await arrived(received, ids, 60_000)
  failures.push(...standby.failed)
  // One batch for the kill, and one for each time that the broker did not say whether it had taken one.
  const repeated = received.length - ids.length
  assert.ok(repeated <= 50 * (1 + failures.length), `${repeated} repeated, failures: ${failures}`)
  assertOrder(received)
  assert.ok(takeoverMs < 5_000, `took over after ${takeoverMs} ms`)
  assert.equal(complaints, '', 'among them the TimeoutNegativeWarning that kafkajs by itself brings about')
})

test('a crash between publishing and moving the cursor repeats that batch and nothing else', async () => {
  let crashes = 0
  const query = (config: pg.QueryConfig) => {
    if (config.name === 'stream/move_cursor' && crashes++ === 1) return Promise.reject(new Error('crashed'))
    return worker.query(config)
  }
  const pool = Object.assign(Object.create(worker), { query }) as pg.Pool
  const tenantId = newTenant()
  const ids = await appendEvents(
    owner,
    Array.from({ length: 200 }, () => ({ tenantId, subjectId: newNotification() })),
  )
  const { relay, failed } = start({ pool })
  await leads({ relay, failed, published: [] })
  const received = await consume()
  await arrived(received, ids)
  await eventually(() => assert.equal(received.length, 250))
  assert.deepEqual(failed, ['database'])
  assertOrder(received)
})

test('a process that no longer leads cannot move the cursor: it gives up, and what it repeats is one batch', async () => {
  const tenantId = newTenant()
  const everybodyLeads = { acquire: async () => ({ lost: new AbortController().signal, release: async () => {} }) }
  const pair = [start({ leaderLock: everybodyLeads }), start({ leaderLock: everybodyLeads })]
  await Promise.all(pair.map(leads))
  const ids = await appendEvents(
    owner,
    Array.from({ length: 50 }, () => ({ tenantId, subjectId: newNotification() })),
  )
  const received = await consume()
  await arrived(received, ids)
  await eventually(() => assert.ok(pair.some(({ failed }) => failed.includes('cursor_moved'))))
  assert.equal(pair.flatMap(({ published }) => published).length, 1)
})

test('a broker that is away holds events back, and all of them arrive in order when it is back', async () => {
  const own = await startKafka({ ownBroker: true })
  try {
    const watched = start({}, own)
    await leads(watched)
    const tenantId = newTenant()
    const notifications = Array.from({ length: 30 }, newNotification)
    const round = (verb: string) =>
      appendEvents(
        owner,
        notifications.map((subjectId) => ({ tenantId, subjectId, type: `notification.sms.${verb}` })),
      )
    const ids = await round('requested')
    await eventually(() => assert.ok(watched.published.length > 0))
    await own.killBroker()
    for (const verb of ['retrying', 'sent', 'delivered']) ids.push(...(await round(verb)))
    await eventually(() => assert.equal(watched.relay.state(), 'waiting for broker'), { timeoutMs: 60_000 })
    ids.push(...(await round('read')))
    await own.startBroker()
    await eventually(() => assert.equal(watched.relay.state(), 'leading'), { timeoutMs: 60_000 })
    const received = await consume(own)
    await arrived(received, ids, 60_000)
    assertOrder(received)
    await own.stopBroker()
    ids.push(...(await round('archived')))
    await own.startBroker()
    await arrived(received, ids, 90_000)
    assertOrder(received)
    assert.ok(watched.failed.every((reason) => reason === 'broker_unavailable'))
    await Promise.all([watched.relay.stop(), ...consumers.splice(0).map((consumer) => consumer.disconnect())])
  } finally {
    await own.stop()
  }
})

test('a leader that cannot reach the broker for long gives the lead to one that can', async () => {
  const cutOff = createKafkaPublisher({
    brokers: ['127.0.0.1:1'],
    clientId: 'cut-off',
    ssl: false,
    compression: 'gzip',
    logger,
  })
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
  assert.equal(received.length, 2)
})

test('a stop does not wait for a broker that never answers, and the batch stays unsent', async () => {
  await appendEvents(owner, [{ tenantId: newTenant(), subjectId: newNotification() }])
  const asked = Promise.withResolvers<void>()
  const publisher: KafkaPublisher = {
    connect: async () => {},
    ensureTopics: async () => [],
    publish: () => {
      asked.resolve()
      return new Promise(() => {})
    },
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
  const topic = `${topicPrefix}carillon.system`
  assert.deepEqual(await publisher.ensureTopics([topic], { partitions: 2, replication: -1 }), [])
  assert.deepEqual(await publisher.ensureTopics([topic], { partitions: 5, replication: -1 }), [
    { topic, partitions: 2, wanted: 5 },
  ])
})

test('a batch of one key that is larger than a broker takes at once arrives whole and in order', async () => {
  const publisher = createKafkaPublisher({
    brokers: kafka.brokers,
    clientId: 'large',
    ssl: false,
    compression: 'gzip',
    logger,
  })
  const topics = feedTopics.map((topic) => topicPrefix + topic)
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
  assert.equal(received.length, batch.length)
  assertOrder(received)
})

test('an unknown topic is an operational error, and the publisher works again afterwards', async () => {
  const publisher = createKafkaPublisher({
    brokers: kafka.brokers,
    clientId: 'unknown',
    ssl: false,
    compression: 'gzip',
    logger,
  })
  const message = { topic: `${topicPrefix}nowhere`, key: 'k', headers: {}, value: '{}' }
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
