import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import type pg from 'pg'
import { type FeedCursor, feedStart } from '../../src/domain/status-event.ts'
import { moveCursor, openCursor } from '../../src/pipeline/stream/feed-cursor.ts'
import type { KafkaPosition, TransactionalPublisher } from '../../src/platform/kafka/transactional-publisher.ts'
import { readServiceState } from '../../src/store/service-state.ts'
import { appendEvents, newNotification, newTenant } from '../pipeline/stream/append-events.ts'
import type { DeathPlace } from '../pipeline/stream/relay-process.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startKafka, type TestKafka } from '../support/kafka-broker.ts'
import { arrived, assertTheLog, everybodyLeads, leads, logger, relayWorld, type WatchedProcess } from './relay-world.ts'

const world = await relayWorld()
const { owner, kafka, start, startProcess, consume } = world

const verbs = ['requested', 'retrying', 'sent', 'delivered', 'read']

/** Stories of a few notifications, told in many small transactions by several writers at once. */
async function tell(stories: number, on: pg.Pool = owner): Promise<string[]> {
  const tenantId = newTenant()
  const ids: string[] = []
  const writers = Array.from({ length: 4 }, async () => {
    const subjects = Array.from({ length: Math.ceil(stories / 4) }, newNotification)
    for (const verb of verbs) {
      for (const channel of ['email', 'sms']) {
        const type = `notification.${channel}.${verb}`
        for (let from = 0; from < subjects.length; from += 5) {
          const some = subjects.slice(from, from + 5)
          ids.push(
            ...(await appendEvents(
              on,
              some.map((subjectId) => ({ tenantId, subjectId, type })),
            )),
          )
        }
      }
    }
  })
  await Promise.all(writers)
  return ids
}

const some = (count: number, on: pg.Pool | pg.PoolClient = owner) => {
  const tenantId = newTenant()
  return appendEvents(
    on,
    Array.from({ length: count }, () => ({ tenantId, subjectId: newNotification() })),
  )
}

const placeOf = async (): Promise<FeedCursor> =>
  (await owner.query(`select xid::text, id from carillon.feed_cursors where lane = 'kafka'`)).rows[0]

const total = ({ published }: { published: number[] }) => published.reduce((sum, events) => sum + events, 0)
const leading = (process: WatchedProcess) =>
  eventually(() => assert.equal(process.state, 'leading', JSON.stringify(process)), { timeoutMs: 20_000 })

async function withAdmin(work: (admin: Admin) => Promise<unknown>): Promise<void> {
  const admin = new Kafka({ brokers: kafka.brokers, logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await work(admin)
  await admin.disconnect()
}

test('killed with -9 again and again, in full flow and at every place that matters: the log, whole, once, in order', async () => {
  const ids: string[] = []
  const places: (DeathPlace | undefined)[] = ['produced', 'committing', 'committed']
  const deaths = [...places, ...places, ...Array.from({ length: 6 }, () => undefined)]
  const faults: string[] = []
  let leader = startProcess()
  for (const place of deaths) {
    await leading(leader)
    const standby = startProcess(place && { dieAt: { place, after: randomInt(1, 4) } })
    const writing = tell(40)
    const due = randomInt(50, 300)
    await Promise.race([
      leader.gone,
      eventually(() => assert.ok(leader.published >= due, JSON.stringify(leader)), { timeoutMs: 20_000 }),
    ])
    await leader.kill()
    ids.push(...(await writing))
    if (!leader.failed.every((reason) => reason === 'broker_unavailable')) faults.push(...leader.because)
    assert.equal(leader.complaints, '', 'among them the TimeoutNegativeWarning that kafkajs by itself brings about')
    leader = standby
  }
  const killedAt = performance.now()
  await leader.kill()
  await leads(start())
  const takeoverMs = performance.now() - killedAt
  const received = await consume()
  await arrived(received, ids)
  assertTheLog(received, await world.logOf())
  assert.ok(takeoverMs < 5_000, `took over after ${takeoverMs} ms`)
  assert.deepEqual(faults, [])
})

test('a frozen leader that wakes after another took over is fenced: it publishes nothing more, and says so', async () => {
  const ids = await some(100)
  const zombie = startProcess({ withoutLock: true })
  await eventually(() => assert.equal(zombie.published, 100), { timeoutMs: 20_000 })
  const writing = tell(40)
  await eventually(() => assert.ok(zombie.published > 150))
  zombie.signal('SIGSTOP')
  ids.push(...(await writing))
  const successor = start({ leaderLock: everybodyLeads })
  await leads(successor)
  ids.push(...(await some(50)))
  const received = await consume()
  await arrived(received, ids)
  await successor.relay.stop() // nobody is in the zombie's way when it stands for the lead anew
  const [before, mirror] = [zombie.published, await placeOf()]
  zombie.signal('SIGCONT')
  // The broker may have been unready for a moment when the topic was new.
  const reasons = () => zombie.failed.filter((reason) => reason !== 'broker_unavailable')
  await eventually(() => assert.notDeepEqual(reasons(), []))
  assert.match(reasons()[0]!, /^(fenced|cursor_moved)$/, `${zombie.failed} ${zombie.because}`)
  assert.equal(zombie.published, before)
  assert.deepEqual(await placeOf(), mirror)
  ids.push(...(await some(50)))
  await arrived(received, ids)
  assertTheLog(received, await world.logOf())
})

test('two that both believe to lead fence each other, and still every event counts once', async () => {
  const pair = [start({ leaderLock: everybodyLeads }), start({ leaderLock: everybodyLeads })]
  await eventually(() => assert.ok(pair.some(({ relay }) => relay.state() === 'leading')), { timeoutMs: 20_000 })
  const ids = await tell(80)
  const received = await consume()
  await arrived(received, ids)
  assertTheLog(received, await world.logOf())
  assert.ok(pair.some(({ failed }) => failed.includes('fenced')))
})

test('of two databases that feed the same topics neither fences nor forgets the other', async () => {
  const other = await testDatabase()
  const [one, two] = [start(), start({}, kafka, other)]
  await Promise.all([leads(one), leads(two)])
  assert.notEqual(await world.group(), await world.group(other))
  const received = await consume()
  const written = await Promise.all([tell(20), tell(20, other.pool())])
  await arrived(received, written.flat())
  assert.ok(![...one.failed, ...two.failed].includes('fenced'))
  assertTheLog(received, new Map([...(await world.logOf()), ...(await world.logOf(other.pool('carillon_worker')))]))
})

test('where Kafka has lost the position, the mirror’s is taken, and the log says so', async () => {
  const first = start()
  await leads(first)
  const received = await consume()
  const ids = await some(60)
  await arrived(received, ids)
  await eventually(() => assert.equal(total(first), 60))
  await first.relay.stop()
  await withAdmin(async (admin) => admin.deleteGroups([await world.group()]))
  ids.push(...(await some(10)))
  const said: string[] = []
  await leads(start({ logger: { ...logger, warn: (_: unknown, text?: string) => void said.push(text!) } as never }))
  await arrived(received, ids)
  assert.deepEqual(said, ['Kafka keeps no position of this relay: it goes on from the mirror in Postgres'])
})

test('an upgrade from a relay that kept its place in Postgres alone goes on from there', async () => {
  const old = await some(20)
  const { rows } = await owner.query('select xid::text, id from carillon.status_log order by xid, id offset 9 limit 1')
  await openCursor(world.worker, 'kafka', new Date())
  await moveCursor(world.worker, 'kafka', feedStart, rows[0], new Date())
  await leads(start())
  await arrived(await consume(), old.slice(10))
})

for (const [where, set] of [
  ['behind', () => feedStart],
  ['ahead of', (last: FeedCursor) => ({ ...last, xid: String(BigInt(last.xid) + 1n) })],
] as const) {
  test(`a mirror ${where} Kafka is put right, so that neither a message is doubled nor an event is skipped`, async () => {
    const first = start()
    await leads(first)
    const received = await consume()
    const ids = await some(60)
    await arrived(received, ids)
    await eventually(() => assert.equal(total(first), 60))
    await first.relay.stop()
    const place = await placeOf()
    ids.push(...(await some(10)))
    const { xid, id } = set(
      (await owner.query('select xid::text, id from carillon.status_log order by xid desc')).rows[0],
    )
    await owner.query({ text: 'update carillon.feed_cursors set xid = $1::text::xid8, id = $2', values: [xid, id] })
    const next = start({ encoder: { ...world.encoder(), encode: () => new Promise(() => {}) }, stopPatienceMs: 10 })
    await leads(next)
    assert.deepEqual(await placeOf(), place)
    await next.relay.stop()
    await leads(start())
    await arrived(received, ids)
    assertTheLog(received, await world.logOf())
  })
}

test('a position in Kafka that this database’s log does not hold is refused: it was set back', async () => {
  const first = start()
  await leads(first)
  await some(10)
  await eventually(() => assert.equal(total(first), 10))
  await first.relay.stop()
  await owner.query('delete from carillon.status_log; delete from carillon.feed_cursors')
  await some(10)
  const second = start()
  await eventually(() => assert.deepEqual(second.failed, ['other_database']))
  assert.deepEqual(second.published, [])
})

test('a position that names another database is refused, and one that a person set without a place is none', async () => {
  const positionTopic = `${world.topicPrefix}carillon.system`
  const elsewhere = JSON.stringify({ database: 'another', xid: '5', id: newNotification() })
  for (const [metadata, outcome] of [
    [elsewhere, 'other_database'],
    ['', 'leading'],
    ['{"xid":', 'leading'],
  ] as const) {
    const publisher = world.publisher()
    await publisher.ensureTopics([positionTopic], { partitions: 1, replication: 1 })
    const session = await publisher.takeOver({ name: await world.group(), positionTopic })
    await session.commit({ offset: '5', metadata })
    await publisher.disconnect()
    const { relay, failed } = start()
    await eventually(() => assert.equal(failed[0] ?? relay.state(), outcome), { timeoutMs: 20_000 })
    await relay.stop()
  }
})

test('while nothing happens the position is committed now and then, and nothing else is', async () => {
  const commits: KafkaPosition[] = []
  const counted = (publisher: TransactionalPublisher): TransactionalPublisher => ({
    ...publisher,
    async takeOver(as) {
      const session = await publisher.takeOver(as)
      const commit = (position: KafkaPosition) => {
        commits.push(position)
        return session.commit(position)
      }
      return { position: session.position, send: session.send, commit }
    },
  })
  const patient = start({ publisher: counted(world.publisher()) })
  await leads(patient)
  await some(1)
  await eventually(() => assert.equal(commits.length, 2))
  await patient.relay.stop()
  assert.equal(commits.length, 2)
  await leads(start({ publisher: counted(world.publisher()), keepPositionMs: 50 }))
  await eventually(() => assert.ok(commits.length >= 5))
  assert.equal(new Set(commits.slice(1).map(({ offset, metadata }) => offset + metadata)).size, 1)
})

test('brokers that are killed, restart and stay away in full flow hold events back, and not one is lost or doubled', async () => {
  const own = await startKafka({ ownBroker: true })
  try {
    await outages(own)
  } finally {
    await world.end()
    await own.stop()
  }
})

async function outages(own: TestKafka): Promise<void> {
  const watched = start({}, own)
  await leads(watched)
  const ids = await tell(20)
  for (const outage of ['killBroker', 'stopBroker'] as const) {
    const before = total(watched)
    const writing = tell(80)
    await eventually(() => assert.ok(total(watched) > before + 50), { timeoutMs: 30_000 })
    await own[outage]()
    ids.push(...(await writing))
    await eventually(() => assert.equal(watched.relay.state(), 'waiting for broker'), { timeoutMs: 30_000 })
    ids.push(...(await tell(20)))
    const { outbox } = await readServiceState(world.worker, new Date())
    assert.ok(outbox.some(({ lane, events, seconds }) => lane === 'kafka' && events >= 200 && seconds > 0))
    await own.startBroker()
    await eventually(() => assert.equal(watched.relay.state(), 'leading'), { timeoutMs: 30_000 })
  }
  const received = await consume(own)
  await arrived(received, ids, 30_000)
  assertTheLog(received, await world.logOf())
  assert.ok(
    watched.failed.every((reason) => reason === 'broker_unavailable'),
    `${watched.failed}`,
  )
}
