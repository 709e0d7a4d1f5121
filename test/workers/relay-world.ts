/** What the tests of the relay share: relays here and in processes of their own, and a reader that forgives nothing. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, afterEach, beforeEach } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Consumer, Kafka, logLevel } from 'kafkajs'
import type pg from 'pg'
import { pino } from 'pino'
import { feedStart } from '../../src/domain/status-event.ts'
import { feedTopics } from '../../src/pipeline/stream/cloud-event.ts'
import { createFeedEncoder } from '../../src/pipeline/stream/feed-encoder.ts'
import { readFeedIdentity, relayName } from '../../src/pipeline/stream/feed-position.ts'
import { readEvents } from '../../src/pipeline/stream/read-events.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { inTransaction } from '../../src/platform/db.ts'
import { createTransactionalPublisher } from '../../src/platform/kafka/transactional-publisher.ts'
import { createLeaderLock } from '../../src/platform/leader-lock.ts'
import { type Relay, type RelayDeps, type RelayFailure, startRelay } from '../../src/workers/relay.ts'
import type { RelayProcessOptions } from '../pipeline/stream/relay-process.ts'
import { type TestDatabase, testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startKafka, type TestKafka } from '../support/kafka-broker.ts'

export const logger = pino({ level: 'silent' })
export const everybodyLeads: RelayDeps['leaderLock'] = {
  acquire: async () => ({ lost: new AbortController().signal, release: async () => {} }),
}

export interface Watched {
  relay: Relay
  published: number[]
  failed: RelayFailure[]
}

export interface WatchedProcess {
  published: number
  failed: string[]
  because: string[]
  state: string
  complaints: string
  signal(signal: NodeJS.Signals): void
  /** Kills it, if it lives, and waits until it is gone. */
  kill(): Promise<void>
  /** Resolves when it is gone. */
  gone: Promise<unknown>
}

export interface Received {
  topic: string
  partition: number
  offset: string
  key: string
  headers: Record<string, string>
  value: Record<string, unknown>
}

/** Call it at the top of a test file: a database, a broker, and topics of their own for each test. */
export async function relayWorld() {
  const database = await testDatabase()
  const owner = database.pool()
  const worker = database.pool('carillon_worker')
  const kafka = await startKafka()
  const relays: Relay[] = []
  const consumers: Consumer[] = []
  const children: ChildProcess[] = []
  const world = {
    database,
    owner,
    worker,
    kafka,
    topicPrefix: '',
    publisher,
    encoder: () => createFeedEncoder({ topicPrefix: world.topicPrefix }),
    start,
    startProcess,
    consume,
    group,
    end,
    logOf,
  }

  beforeEach(async () => {
    world.topicPrefix = `t${randomUUID().slice(0, 8)}.`
    await owner.query('delete from carillon.feed_cursors; delete from carillon.status_log')
  })
  afterEach(end)
  after(() => kafka.stop())

  async function end(): Promise<void> {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await Promise.all([
      ...relays.splice(0).map((relay) => relay.stop()),
      ...consumers.splice(0).map((consumer) => consumer.disconnect()),
    ])
  }

  function publisher(brokers = kafka.brokers) {
    return createTransactionalPublisher({ brokers, clientId: 'relay-test', ssl: false, compression: 'gzip', logger })
  }

  function start(over: Partial<RelayDeps> = {}, broker: TestKafka = kafka, of: TestDatabase = database): Watched {
    const published: number[] = []
    const failed: RelayFailure[] = []
    const { topicPrefix } = world
    const relay = startRelay({
      pool: of === database ? worker : of.pool('carillon_worker'),
      publisher: publisher(broker.brokers),
      leaderLock: createLeaderLock({ databaseUrl: of.url, retryMs: 200, logger }),
      clock: systemClock,
      metrics: { published: (events) => published.push(events), failed: (reason) => failed.push(reason) },
      logger,
      encoder: world.encoder(),
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

  function startProcess(over: Partial<RelayProcessOptions> = {}): WatchedProcess {
    const script = fileURLToPath(new URL('../pipeline/stream/relay-process.ts', import.meta.url))
    const { topicPrefix } = world
    const options: RelayProcessOptions = { databaseUrl: database.url, brokers: kafka.brokers, topicPrefix, ...over }
    const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe'] })
    children.push(child)
    const gone = once(child, 'exit')
    const watched: WatchedProcess = {
      published: 0,
      failed: [],
      because: [],
      state: 'starting',
      complaints: '',
      signal: (signal) => child.kill(signal),
      async kill() {
        child.kill('SIGKILL')
        await gone
      },
      gone,
    }
    child.stderr.on('data', (text) => {
      watched.complaints += text
    })
    createInterface(child.stdout).on('line', (line) => {
      const [what, told] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
      if (what === 'published') watched.published += Number(told)
      else if (what === 'failed') watched.failed.push(told)
      else if (what === 'because') watched.because.push(told)
      else watched.state = told
    })
    return watched
  }

  /** Every committed message on this test's topics, from their beginning, as it comes. The topics must be there. */
  async function consume(broker: TestKafka = kafka): Promise<Received[]> {
    const { topicPrefix } = world
    const client = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING })
    const consumer = client.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50, readUncommitted: false })
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
          offset: message.offset,
          key: String(message.key),
          headers: Object.fromEntries(headers),
          value: JSON.parse(String(message.value)),
        })
      },
    })
    return received
  }

  /** The relay's name in Kafka. */
  async function group(of: TestDatabase = database): Promise<string> {
    const identity = await readFeedIdentity(of === database ? worker : of.pool('carillon_worker'))
    return relayName({ topicPrefix: world.topicPrefix, lane: 'kafka', identity })
  }

  /** What has to be in each topic under each key, in order, by the log. */
  async function logOf(pool: pg.Pool = worker): Promise<Map<string, string[]>> {
    const encoder = createFeedEncoder({ topicPrefix: '' })
    const due = new Map<string, string[]>()
    for (let place = feedStart, atEnd = false; !atEnd; ) {
      const page = await inTransaction(pool, (trx) => readEvents(trx, place, 5_000))
      for (const { topic, key, headers } of await encoder.encode(page.events))
        add(due, `${topic} ${key}`, headers.ce_id!)
      place = page.next
      atEnd = page.atEnd
    }
    return due
  }

  return world
}

function add(to: Map<string, string[]>, at: string, id: string): void {
  const ids = to.get(at)
  if (ids) ids.push(id)
  else to.set(at, [id])
}

export const leads = (watched: Watched) =>
  eventually(() => assert.equal(watched.relay.state(), 'leading'), { timeoutMs: 30_000 })

export const idsOf = (received: Received[]) => received.map((message) => message.headers.ce_id!)

/** Waits until as many messages are there as events were written; they are those events, once each. */
export async function arrived(received: Received[], ids: readonly string[], timeoutMs = 30_000): Promise<void> {
  await eventually(() => assert.ok(received.length >= ids.length, `${received.length} of ${ids.length} arrived`), {
    timeoutMs,
  })
  assert.deepEqual(idsOf(received).sort(), [...ids].sort())
}

/** The promise to consumers: per key and topic the log, whole, once, and in its order. */
export function assertTheLog(received: Received[], due: Map<string, string[]>): void {
  const came = new Map<string, string[]>()
  for (const { topic, key, headers } of received) add(came, `${topic} ${key}`, headers.ce_id!)
  const wrong = [...new Set([...due.keys(), ...came.keys()])].filter(
    (at) => due.get(at)?.join() !== came.get(at)?.join(),
  )
  assert.deepEqual(
    wrong.slice(0, 3).map((at) => ({ at, due: due.get(at), came: came.get(at) })),
    [],
    `${wrong.length} of ${due.size} are not as in the log`,
  )
}
