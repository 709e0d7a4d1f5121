import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { Kafka, logLevel, Partitioners } from 'kafkajs'
import { pino } from 'pino'
import { deliveryId, idTimeMs } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { moveCursor, openCursor } from '../../../src/pipeline/stream/feed-cursor.ts'
import { createFeedEncoder } from '../../../src/pipeline/stream/feed-encoder.ts'
import { readPeriod } from '../../../src/pipeline/stream/read-period.ts'
import type { FeedReport, FindingKind } from '../../../src/pipeline/stream/reconcile-feed.ts'
import { partitionOf } from '../../../src/platform/kafka/partition.ts'
import { createKafkaPublisher, type KafkaMessage } from '../../../src/platform/kafka/publisher.ts'
import { testDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka-broker.ts'
import { type Reconciled, reconcile } from '../../support/reconcile.ts'
import { appendEvents, newNotification, newTenant } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')
const kafka = await startKafka()
const client = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING })
const admin = client.admin()
await admin.connect()
const logger = pino({ level: 'silent' })
const publisher = createKafkaPublisher({
  brokers: kafka.brokers,
  clientId: 'reconcile-test',
  ssl: false,
  compression: 'gzip',
  logger,
})
after(async () => {
  await Promise.all([publisher.disconnect(), admin.disconnect()])
  await kafka.stop()
})

const partitions = 3
const ever = { from: new Date(0), to: new Date(8.64e15 / 40) }
let topicPrefix = ''
let tenantId = ''

beforeEach(async () => {
  topicPrefix = `v${randomUUID().slice(0, 8)}.`
  tenantId = newTenant()
  await owner.query('delete from carillon.feed_cursors; delete from carillon.status_log')
  await publisher.ensureTopics(encoder().topics, { partitions, replication: 1 })
})

const encoder = () => createFeedEncoder({ topicPrefix })
const verbs = ['requested', 'retrying', 'sent', 'delivered']

async function append(notifications = 10): Promise<void> {
  const subjects = Array.from({ length: notifications }, () => deliveryId(newNotification(), 'email'))
  for (const verb of verbs) {
    await appendEvents(
      owner,
      subjects.map((subjectId) => ({ tenantId, subjectId, type: `notification.email.${verb}` })),
    )
  }
  const { rows } = await owner.query('select sum(size)::int as size from carillon.status_log')
  // Another database's transactions may hide them for a moment.
  await eventually(async () => assert.equal((await log()).length, rows[0].size), { timeoutMs: 30_000 })
}

async function log(): Promise<StatusEvent[]> {
  const events: StatusEvent[] = []
  for await (const page of readPeriod(worker, ever)) events.push(...page)
  return events
}

/** The relay's place: past this event. */
async function passed(last: StatusEvent): Promise<void> {
  const now = new Date()
  const from = await openCursor(worker, 'kafka', now)
  assert.ok(await moveCursor(worker, 'kafka', from, last, now))
}

/** What a relay would have published of the whole log, with its place moved past it. */
async function passedMessages(): Promise<KafkaMessage[]> {
  const events = await log()
  await passed(events.at(-1)!)
  return encoder().encode(events)
}

const check = (over: Partial<Reconciled> = {}) =>
  reconcile({ brokers: kafka.brokers, pool: worker, topicPrefix, ...over })

type Counts = Partial<
  Record<FindingKind | 'events' | 'published' | 'notYetPublished' | 'pastRetention' | 'replayed', number>
>
function assertCounts(report: FeedReport, expected: Counts): void {
  const {
    missing,
    doubled,
    outOfOrder,
    changed,
    foreign,
    events,
    published,
    notYetPublished,
    pastRetention,
    replayed,
  } = report
  const found = {
    missing,
    doubled,
    outOfOrder,
    changed,
    foreign,
    events,
    published,
    notYetPublished,
    pastRetention,
    replayed,
  }
  const none = Object.fromEntries(Object.keys(found).map((name) => [name, 0]))
  assert.deepEqual(found, { ...none, ...expected }, JSON.stringify(report.findings))
  assert.equal(report.ok, missing + doubled + outOfOrder + changed === 0)
}

test('a feed that holds what the log says is found to be right', async () => {
  await append()
  await publisher.publish(await passedMessages())
  assertCounts(await check(), { events: 40, published: 40 })
})

test('an empty feed of an empty log is right', async () => {
  assertCounts(await check(), {})
})

test('what the relay has yet to publish is not missing', async () => {
  await append(2)
  await publisher.publish(await passedMessages())
  await append(3)
  assertCounts(await check(), { events: 20, published: 8, notYetPublished: 12 })
})

test('what was published before the cursor moved is not foreign', async () => {
  await append(2)
  const events = await log()
  await passed(events[3]!)
  await publisher.publish(await encoder().encode(events))
  assertCounts(await check(), { events: 8, published: 8 })
})

/** Each takes the right messages, of ten notifications in four steps, and gives wrong ones. */
const tampered: { what: string; tamper(messages: KafkaMessage[]): KafkaMessage[]; counts: Counts; named?: number }[] = [
  {
    what: 'a gap',
    tamper: (messages) => messages.toSpliced(7, 1),
    counts: { published: 39, missing: 1 },
    named: 7,
  },
  {
    what: 'a repetition',
    tamper: (messages) => [...messages, messages[12]!],
    counts: { published: 40, doubled: 1 },
    named: 12,
  },
  {
    what: 'a repeated run, as a relay that crashed would leave it',
    tamper: (messages) => [...messages.slice(0, 30), ...messages.slice(20)],
    counts: { published: 40, doubled: 10 },
  },
  {
    what: 'two events of one key in the wrong order',
    tamper: (messages) => messages.with(3, messages[13]!).with(13, messages[3]!),
    counts: { published: 40, outOfOrder: 1 },
    named: 3,
  },
  {
    what: 'another type',
    tamper: (messages) => messages.with(5, withHeader(messages[5]!, 'ce_type', 'notification.email.bounced')),
    counts: { published: 40, changed: 1 },
    named: 5,
  },
  {
    what: 'another subject',
    tamper: (messages) => messages.with(5, withHeader(messages[5]!, 'ce_subject', newNotification())),
    counts: { published: 40, changed: 1 },
    named: 5,
  },
  {
    what: 'another tenant',
    tamper: (messages) => messages.with(5, withHeader(messages[5]!, 'ce_tenantid', newTenant())),
    counts: { published: 40, changed: 1 },
    named: 5,
  },
  {
    what: 'another topic',
    tamper: (messages) => messages.with(5, { ...messages[5]!, topic: messages[5]!.topic.replace('email', 'sms') }),
    counts: { published: 40, changed: 1 },
    named: 5,
  },
]
for (const shareMessages of [undefined, 7]) {
  for (const { what, tamper, counts, named } of tampered) {
    test(`it finds ${what}${shareMessages ? ', in several passes' : ''}`, async () => {
      await append()
      const messages = await passedMessages()
      await publisher.publish(tamper(messages))
      const report = await check({ shareMessages })
      assertCounts(report, { events: 40, ...counts })
      if (named !== undefined) assert.equal(report.findings[0]!.id, messages[named]!.headers.ce_id)
    })
  }
}

const withHeader = (message: KafkaMessage, name: string, value: string): KafkaMessage => ({
  ...message,
  headers: { ...message.headers, [name]: value },
})

test('events of two keys may change places, for nothing else was promised', async () => {
  await append()
  const messages = await passedMessages()
  await publisher.publish(messages.with(3, messages[4]!).with(4, messages[3]!))
  assertCounts(await check(), { events: 40, published: 40 })
})

test('what the database does not have is foreign: of another database, or no event at all', async () => {
  await append()
  const messages = await passedMessages()
  await publisher.publish(messages)
  const before = await log()
  await owner.query('delete from carillon.status_log where id = $1', [before[6]!.id])
  await publisher.publish([{ ...messages[0]!, key: 'whatever', headers: { 'content-type': 'text/plain' } }])
  const report = await check()
  assertCounts(report, { events: 39, published: 39, foreign: 2 })
  assert.ok(report.ok, 'that the log has forgotten is no fault of the feed')
  assert.ok(report.findings.some(({ id, kind }) => kind === 'foreign' && id === before[6]!.id))
  assert.ok(report.findings.some(({ id, offset }) => id === undefined && offset !== undefined))
})

test('foreign events from before the first day of the log are told apart', async () => {
  await append(1)
  const [first, ...others] = await passedMessages()
  const old = '0180aaaa-0000-7000-8000-000000000000'
  await publisher.publish([withHeader(first!, 'ce_id', old), ...others])
  const report = await check({ period: ever })
  assertCounts(report, { events: 4, published: 3, foreign: 1, missing: 1 })
  assert.equal(report.foreignBeforeLog, 1)
})

test('replayed events are counted apart, and neither doubled nor out of order', async () => {
  await append()
  const messages = await passedMessages()
  await publisher.publish(messages)
  await publisher.publish(messages.slice(0, 15).map((message) => withHeader(message, 'ce_replayid', randomUUID())))
  assertCounts(await check(), { events: 40, published: 40, replayed: 15 })
})

test('what was aborted counts for nothing, and what was committed afterwards counts once', async () => {
  await append()
  const messages = await passedMessages()
  const producer = client.producer({
    transactionalId: topicPrefix,
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  try {
    for (const ends of ['abort', 'abort', 'commit'] as const) {
      const transaction = await producer.transaction()
      for (const { topic, ...message } of messages) {
        const partition = partitionOf(Buffer.from(message.key), partitions)
        await transaction.send({ topic, messages: [{ ...message, partition }] })
      }
      await transaction[ends]()
      if (ends === 'abort') assertCounts(await check(), { events: 40, missing: 40 })
    }
  } finally {
    await producer.disconnect()
  }
  assertCounts(await check(), { events: 40, published: 40 })
})

test('the period bounds both sides alike, by the moment in an event’s id', async () => {
  await append(1)
  const messages = await passedMessages()
  const times = messages.map(({ headers }) => idTimeMs(headers.ce_id!))
  await publisher.publish(messages.toSpliced(3, 1))
  const [from, to] = [new Date(times[1]!), new Date(times[2]! + 1)]
  const inside = times.filter((time) => time >= times[1]! && time < times[2]! + 1).length
  const missing = times[3]! < times[2]! + 1 ? 1 : 0
  assertCounts(await check({ period: { from, to } }), { events: inside, published: inside - missing, missing })
  const after = { from: new Date(times[3]! + 1), to: new Date(times[3]! + 2) }
  assertCounts(await check({ period: after }), {})
  const before = { from: new Date(times[0]! - 2), to: new Date(times[0]!) }
  assertCounts(await check({ period: before }), {})
})

test('one tenant can be looked at alone', async () => {
  await append(2)
  const first = tenantId
  tenantId = newTenant()
  await append(3)
  const messages = await passedMessages()
  await publisher.publish(messages.slice(1)) // what is missing is of the first tenant
  const period = (of: string) => ({ ...ever, tenantId: of })
  assertCounts(await check({ period: period(first) }), { events: 8, published: 7, missing: 1 })
  assertCounts(await check({ period: period(tenantId) }), { events: 12, published: 12 })
})

test('what a topic’s retention has dropped is told as that, and is not missing', async () => {
  await append()
  const messages = await passedMessages()
  await publisher.publish(messages.toSpliced(39, 1))
  const topic = messages[0]!.topic
  const ends = await admin.fetchTopicOffsets(topic)
  await admin.deleteTopicRecords({
    topic,
    partitions: ends.map(({ partition, high }) => ({ partition, offset: String(Math.floor(Number(high) / 2)) })),
  })
  const dropped = ends.reduce((sum, { high }) => sum + Math.floor(Number(high) / 2), 0)
  assertCounts(await check(), { events: 40, published: 39 - dropped, pastRetention: dropped, missing: 1 })
})

test('a cursor of another database is refused: its places mean nothing here', async () => {
  await append(1)
  await passedMessages()
  await owner.query(`update carillon.feed_cursors set system_identifier = '1'`)
  await assert.rejects(check(), { code: 'FEED_OTHER_DATABASE' })
})

test('topics and a relay that are not there are remarked on', async () => {
  await append(1)
  topicPrefix = 'nowhere.'
  const report = await check()
  assertCounts(report, { events: 4, notYetPublished: 4 })
  assert.match(report.remarks.join('\n'), /never run\n.*no topic .*nowhere\.notification\.intents/)
})
