import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import pg from 'pg'
import { pino } from 'pino'
import { intentIdOf } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { createLiveFeed, type LiveFeed, type LiveFeedOptions } from '../../../src/pipeline/stream/live-feed.ts'
import { inTransaction } from '../../../src/platform/db.ts'
import { statusEventsTopic } from '../../../src/platform/wake.ts'
import { testDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { appendEvents, newNotification, newTenant, take } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const api = database.pool('carillon_api')
const feeds: LiveFeed[] = []
const never = new AbortController().signal
const everything = () => true

afterEach(async () => {
  for (const feed of feeds.splice(0)) await feed.close()
})

function start(over: Partial<LiveFeedOptions> = {}): LiveFeed {
  const feed = createLiveFeed({ pool: api, idlePollMs: 50, logger: pino({ level: 'silent' }), ...over })
  feeds.push(feed)
  return feed
}

/** A pool that counts the reads, how many ran at once, and for which tenants. */
function counted(pool: pg.Pool) {
  const seen = { reads: 0, connections: 0, mostConnections: 0, tenants: new Set<string>() }
  const connect = async () => {
    const client = await pool.connect()
    seen.connections++
    seen.mostConnections = Math.max(seen.mostConnections, seen.connections)
    return {
      on: client.on.bind(client),
      off: client.off.bind(client),
      query: (...args: [pg.QueryConfig]) => {
        if (args[0].name === 'stream/read_horizon') seen.reads++
        if (args[0].name === 'act_for_tenants')
          for (const id of String(args[0].values?.[0]).split(',')) seen.tenants.add(id)
        return client.query(...args)
      },
      release: (broken?: Error) => {
        seen.connections--
        client.release(broken)
      },
    }
  }
  return { pool: { connect } as unknown as pg.Pool, seen }
}

const idsOf = (events: StatusEvent[]) => events.map((event) => event.id)

test('a follower gets the events of its tenant that it accepts, in order, and no others', async () => {
  const feed = start()
  const tenantId = newTenant()
  const subjectId = newNotification()
  const events = await feed.follow({ tenantId, accepts: (event) => event.subjectId === subjectId, signal: never })
  const ids = await appendEvents(owner, [
    { tenantId: newTenant(), subjectId },
    { tenantId, subjectId },
    { tenantId, subjectId: newNotification() },
    { tenantId, subjectId },
  ])
  assert.deepEqual(idsOf(await take(events, 2)), [ids[1], ids[3]])
})

test('a thousand followers are served by one tailer on one connection that reads their tenants only', async () => {
  const { pool, seen } = counted(api)
  const feed = start({ pool })
  const tenants = Array.from({ length: 20 }, newTenant)
  const followers = await Promise.all(
    Array.from({ length: 1_000 }, (_, n) =>
      feed.follow({ tenantId: tenants[n % 20]!, accepts: everything, signal: never }),
    ),
  )
  const readsBefore = seen.reads
  const ids = await appendEvents(
    owner,
    tenants.map((tenantId) => ({ tenantId, subjectId: newNotification() })),
  )
  const got = await Promise.all(followers.map((events) => take(events, 1)))
  for (const [n, events] of got.entries()) assert.equal(events[0]!.id, ids[n % 20])
  assert.equal(seen.mostConnections, 1)
  assert.ok(seen.reads - readsBefore < 50, `${seen.reads - readsBefore} reads`)
  assert.deepEqual([...seen.tenants].sort(), [...tenants].sort())
})

test('an event is offered only to those whom it concerns', async () => {
  const feed = start()
  const tenantId = newTenant()
  const [own, other] = [newNotification(), newNotification()]
  let asked = 0
  const accepts = () => {
    asked++
    return true
  }
  const follow = (about: { recipientId: string } | { intentId: string }) =>
    feed.follow({ tenantId, about, accepts, signal: never })
  const ann = await follow({ recipientId: 'ann' })
  const story = await follow({ intentId: intentIdOf(own) })
  for (let n = 0; n < 100; n++) await follow({ recipientId: `user-${n}` })
  const ids = await appendEvents(owner, [
    { tenantId: newTenant(), subjectId: other, data: { recipient_id: 'ann' } },
    { tenantId, subjectId: other, data: { recipient_id: 'ann' } },
    { tenantId, subjectId: own, data: { recipient_id: 'bob' } },
    { tenantId, subjectId: other },
    { tenantId, subjectId: own, data: { recipient_id: 'ann' } },
  ])
  assert.deepEqual(idsOf(await take(ann, 2)), [ids[1], ids[4]])
  assert.deepEqual(idsOf(await take(story, 2)), [ids[2], ids[4]])
  assert.equal(asked, 4)
})

test('when the last follower has left, nothing is read any more, and the next one begins anew', async () => {
  const { pool, seen } = counted(api)
  const feed = start({ pool, idlePollMs: 5 })
  const leaving = new AbortController()
  const tenantId = newTenant()
  const events = await feed.follow({ tenantId, accepts: everything, signal: leaving.signal })
  leaving.abort()
  assert.deepEqual(await events[Symbol.asyncIterator]().next(), { done: true, value: undefined })
  let settled = -1
  await eventually(() => {
    const before = settled
    settled = seen.reads
    assert.equal(before, settled)
  })
  const again = await feed.follow({ tenantId, accepts: everything, signal: never })
  const [id] = await appendEvents(owner, [{ tenantId, subjectId: newNotification() }])
  assert.deepEqual(idsOf(await take(again, 1)), [id])
})

test('a follower that is too slow gets what was buffered and then FOLLOWER_TOO_SLOW; the others go on', async () => {
  const feed = start({ bufferEvents: 5 })
  const tenantId = newTenant()
  const slow = await feed.follow({ tenantId, accepts: everything, signal: never })
  const quick = await feed.follow({ tenantId, accepts: everything, signal: never })
  const ids: string[] = []
  for (let n = 0; n < 20; n++) {
    ids.push(...(await appendEvents(owner, [{ tenantId, subjectId: newNotification() }])))
    assert.deepEqual(idsOf(await take(quick, 1)), ids.slice(-1))
  }
  const iterator = slow[Symbol.asyncIterator]()
  for (const id of ids.slice(0, 5)) assert.equal((await iterator.next()).value.id, id)
  await assert.rejects(iterator.next(), { code: 'FOLLOWER_TOO_SLOW' })
  assert.equal((await iterator.next()).done, true)
})

test('a snapshot read after follow has resolved, and what follows, miss nothing', async () => {
  const feed = start({ idlePollMs: 5 })
  const tenantId = newTenant()
  const written: string[] = []
  let writing = true
  const writers = Array.from({ length: 8 }, async () => {
    while (writing) {
      await inTransaction(owner, async (trx) => {
        const ids = await appendEvents(trx, [{ tenantId, subjectId: newNotification() }])
        written.push(...ids, ...(await appendEvents(trx, [{ tenantId, subjectId: newNotification() }])))
      })
    }
  })
  const views = await Promise.all(
    Array.from({ length: 10 }, async (_, n) => {
      await eventually(() => assert.ok(written.length > n * 50))
      const events = await feed.follow({ tenantId, accepts: everything, signal: never })
      const { rows } = await owner.query({
        text: 'select id from carillon.status_events where tenant_id = $1',
        values: [tenantId],
      })
      const known = new Set<string>(rows.map((row) => row.id))
      void (async () => {
        for await (const event of events) known.add(event.id)
      })().catch(() => {}) // ends when the feed is closed
      return known
    }),
  )
  writing = false
  await Promise.all(writers)
  const all = written.sort()
  for (const known of views) await eventually(() => assert.deepEqual([...known].sort(), all))
})

test('a wake-up is answered long before the next poll', async () => {
  let ring = () => {}
  const wake = {
    on: (topic: string, listener: () => void) => {
      assert.equal(topic, statusEventsTopic)
      ring = listener
      return () => {}
    },
  }
  const feed = start({ idlePollMs: 60_000, wake })
  const tenantId = newTenant()
  const events = await feed.follow({ tenantId, accepts: everything, signal: never })
  const first = take(events, 1)
  const [id] = await appendEvents(owner, [{ tenantId, subjectId: newNotification() }])
  ring()
  assert.deepEqual(idsOf(await first), [id])
})

test('an outage of the database delays events and loses none', async () => {
  let warnings = 0
  const feed = start({ logger: { info() {}, warn: () => void warnings++ } })
  const tenantId = newTenant()
  const events = await feed.follow({ tenantId, accepts: everything, signal: never })
  const iterator = events[Symbol.asyncIterator]()
  const admin = new pg.Client({
    connectionString: Object.assign(new URL(database.url), { pathname: '/postgres' }).href,
  })
  await admin.connect()
  const writer = await owner.connect()
  const { rows } = await writer.query('select pg_backend_pid() as pid')
  await admin.query(`alter database ${database.name} with allow_connections false`)
  await admin.query({
    text: 'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2',
    values: [database.name, rows[0].pid],
  })
  const [missed] = await appendEvents(writer, [{ tenantId, subjectId: newNotification() }])
  writer.release()
  const newcomer = feed.follow({ tenantId, accepts: everything, signal: never })
  await eventually(() => assert.ok(warnings > 0))
  await admin.query(`alter database ${database.name} with allow_connections true`)
  await admin.end()
  assert.equal((await iterator.next()).value.id, missed)
  await newcomer
})

test('following ends with its signal, with return() while a read is pending, and with the feed', async () => {
  const feed = start()
  const tenantId = newTenant()
  await assert.rejects(feed.follow({ tenantId, accepts: everything, signal: AbortSignal.abort() }), {
    name: 'AbortError',
  })
  const left = (await feed.follow({ tenantId, accepts: everything, signal: never }))[Symbol.asyncIterator]()
  const pending = left.next()
  await left.return!()
  assert.equal((await pending).done, true)
  const stopped = (await feed.follow({ tenantId, accepts: everything, signal: never }))[Symbol.asyncIterator]()
  await feed.close()
  await assert.rejects(stopped.next(), { code: 'SHUTTING_DOWN' })
  await assert.rejects(feed.follow({ tenantId, accepts: everything, signal: never }), { code: 'SHUTTING_DOWN' })
})
