import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { pino } from 'pino'
import { deliveryId } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { moveCursor, openCursor } from '../../../src/pipeline/stream/feed-cursor.ts'
import { createFeedEncoder } from '../../../src/pipeline/stream/feed-encoder.ts'
import { readFeedMessage } from '../../../src/pipeline/stream/feed-message.ts'
import { readPeriod } from '../../../src/pipeline/stream/read-period.ts'
import {
  countForReplay,
  type ReplayOptions,
  type ReplayPublisher,
  readReached,
  replayFeed,
} from '../../../src/pipeline/stream/replay-feed.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createIdSource } from '../../../src/platform/id-source.ts'
import { partitionOf } from '../../../src/platform/kafka/partition.ts'
import { createKafkaPublisher } from '../../../src/platform/kafka/publisher.ts'
import { testDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { startKafka } from '../../support/kafka-broker.ts'
import { readerOf, reconcile } from '../../support/reconcile.ts'
import { appendEvents, newNotification, newTenant } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')
const kafka = await startKafka()
const reader = readerOf(kafka.brokers)
const logger = pino({ level: 'silent' })
const options = { brokers: kafka.brokers, clientId: 'replay-test', ssl: false, compression: 'gzip', logger } as const
const publisher = createKafkaPublisher(options)
after(async () => {
  await Promise.all([publisher.disconnect(), reader.close()])
  await kafka.stop()
})

const source = createIdSource(systemClock)
const verbs = ['requested', 'retrying', 'sent', 'delivered']
const period = () => ({ from: new Date(Date.now() - 3_600_000), to: new Date(Date.now() + 60_000) })
let topicPrefix = ''
let tenantId = ''
let events: StatusEvent[] = []
const encoder = () => createFeedEncoder({ topicPrefix })

/** Fifty notifications of four events, the relay's place behind the last but eight events. */
beforeEach(async () => {
  topicPrefix = `r${randomUUID().slice(0, 8)}.`
  tenantId = newTenant()
  await owner.query('delete from carillon.feed_cursors; delete from carillon.status_log')
  await publisher.ensureTopics(encoder().topics, { partitions: 3, replication: 1 })
  const subjects = Array.from({ length: 50 }, (_, n) => deliveryId(newNotification(), n % 2 === 0 ? 'email' : 'sms'))
  for (const verb of verbs) {
    await appendEvents(
      owner,
      subjects.map((subjectId, n) => ({
        tenantId,
        subjectId,
        type: `notification.${n % 2 === 0 ? 'email' : 'sms'}.${verb}`,
      })),
    )
  }
  events = await eventually(async () => {
    const found: StatusEvent[] = []
    for await (const page of readPeriod(worker, period())) found.push(...page)
    assert.equal(found.length, 200)
    return found
  })
  const from = await openCursor(worker, 'kafka', new Date())
  await moveCursor(worker, 'kafka', from, events[191]!, new Date())
})

const replay = (over: Partial<ReplayOptions> = {}) =>
  replayFeed({
    pool: worker,
    encoder: encoder(),
    publisher,
    selection: { period: period() },
    replayId: source.id(),
    pause: async () => {},
    ...over,
  })

async function replayed(replayId?: string) {
  const ranges = await reader.ranges(encoder().topics, 'oldest')
  const found = []
  for await (const records of reader.read(ranges)) {
    for (const record of records) found.push({ ...record, message: readFeedMessage(record)! })
  }
  return found.filter(({ message }) => replayId === undefined || message.replayId === replayId)
}

/** Each event that the relay has passed, once, and those of a key in their order. */
function assertWhole(found: Awaited<ReturnType<typeof replayed>>): void {
  const ids = events.slice(0, 192).map(({ id }) => id)
  assert.deepEqual(found.map(({ message }) => message.id).sort(), ids.sort())
  for (const [key, of] of Map.groupBy(found, ({ message }) => message.key)) {
    const told = of.map(({ message }) => message.type.split('.').at(-1))
    assert.deepEqual(told, verbs.slice(0, told.length), key)
  }
}

test('a replay publishes what the relay has passed, in order for each key, under its id, and moves nothing', async () => {
  const before = await owner.query('select * from carillon.feed_cursors')
  const replayId = source.id()
  assert.equal(await replay({ replayId }), 192)
  assertWhole(await replayed(replayId))
  assert.deepEqual((await owner.query('select * from carillon.feed_cursors')).rows, before.rows)
})

test('replayed over a right feed, nothing of it is doubled', async () => {
  await publisher.publish(await encoder().encode(events.slice(0, 192)))
  await replay()
  const report = await reconcile({ brokers: kafka.brokers, pool: worker, topicPrefix })
  assert.ok(report.ok, JSON.stringify(report.findings))
  assert.deepEqual([report.published, report.replayed, report.notYetPublished], [192, 192, 8])
})

test('it can be narrowed by topic, type, tenant and time, and counts the same without publishing', async () => {
  const cases: [selection: Partial<ReplayOptions['selection']>, expected: number][] = [
    [{ topics: new Set([`${topicPrefix}notification.email`]) }, 96],
    [{ acceptsType: (type) => type.endsWith('.sent') }, 50],
    [{ period: { ...period(), tenantId: newTenant() } }, 0],
    [{ period: { ...period(), tenantId } }, 192],
    [{ period: { from: new Date(Date.now() + 60_000), to: new Date(Date.now() + 120_000) } }, 0],
  ]
  for (const [over, expected] of cases) {
    const selection = { period: period(), ...over }
    assert.equal(await countForReplay({ pool: worker, encoder: encoder(), selection }), expected)
  }
  assert.deepEqual(await replayed(), [])
})

test('a replay that broke off goes on where Kafka has it, without a gap or a repetition', async () => {
  const replayId = source.id()
  let batches = 0
  const breaking: ReplayPublisher = {
    connect: () => publisher.connect(),
    async publish(batch) {
      // As when one of the brokers has taken its part of a batch, and the process is killed.
      if (++batches === 3) {
        await publisher.publish(batch.filter(({ key }) => partitionOf(Buffer.from(key), 3) !== 1))
        throw new Error('killed')
      }
      await publisher.publish(batch)
    },
  }
  await assert.rejects(replay({ replayId, publisher: breaking, rate: 30 }), /killed/)
  const arrived = (await replayed(replayId)).length
  assert.ok(arrived > 60 && arrived < 90)
  const reached = await readReached(reader, encoder().topics, replayId)
  assert.equal(await replay({ replayId, reached }), 192 - arrived)
  assertWhole(await replayed(replayId))
})

test('a replay that was asked to end goes on as well, and one that is complete publishes nothing more', async () => {
  const replayId = source.id()
  const ending = new AbortController()
  const first = await replay({
    replayId,
    rate: 30,
    signal: ending.signal,
    onProgress: (published) => published >= 90 && ending.abort(),
  })
  assert.equal(first, 90)
  const other = source.id()
  await replay({ replayId: other, rate: 10, signal: AbortSignal.abort() })
  const reached = await readReached(reader, encoder().topics, replayId)
  assert.equal(await replay({ replayId, reached }), 102)
  assert.equal(await replay({ replayId, reached: await readReached(reader, encoder().topics, replayId) }), 0)
  assertWhole(await replayed(replayId))
})

test('with a rate it waits between its batches', async () => {
  const waits: number[] = []
  let nowMs = 5_000
  const pause = async (ms: number) => {
    waits.push(ms)
    nowMs += ms
  }
  const count = await replay({ rate: 100, nowMs: () => nowMs, pause })
  assert.deepEqual(waits, [1_000, (count - 100) * 10])
})
