import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type pg from 'pg'
import type { Fold } from '../../src/domain/digest.ts'
import { type CloseDigestsDeps, closeDueDigests } from '../../src/workers/close-digests.ts'
import { type Crash, failingPool } from '../support/failing-pool.ts'
import { type Folding, folding, minuteMs, planFolded } from '../support/folding.ts'
import { type TestClock, testClock } from '../support/test-clock.ts'
import { createWorld, type World } from '../support/world.ts'

let clock: TestClock
let world: World
before(async () => {
  clock = testClock('2026-11-20T10:00:00Z')
  world = await createWorld(clock)
})

const deps = (pool: pg.Pool, dropped: ReadonlySet<string> = new Set()): CloseDigestsDeps => ({
  pool,
  ids: world.ids,
  keyTtlMs: 86_400_000,
  recheck: async (_trx, _tenant, members) =>
    new Map(
      members.flatMap(({ notificationId }) =>
        dropped.has(notificationId) ? [[notificationId, { outcome: 'suppressed', reason: 'opted_out' }] as const] : [],
      ),
    ),
  wake: () => {},
  logger: { error: () => {} } as unknown as CloseDigestsDeps['logger'],
})

const fold: Fold = { key: 'k', policy: { windowMs: minuteMs, size: 4 } }
let round = 0
/** Two people with full and half full digests, one whose digest will be empty. */
function crowd(): { members: Folding[]; dropped: Set<string>; people: string[] } {
  const name = `r${++round}`
  const people = ['x', 'y', 'empty'].map((who) => name + who)
  const members = people.flatMap((recipient) => Array.from({ length: 6 }, () => folding(world, { recipient, fold })))
  const dropped = new Set(
    members.filter(({ recipientId }) => recipientId.endsWith('empty')).map((m) => m.notificationId),
  )
  return { members, dropped, people }
}

/** Every event of a person is in exactly one request, every notification has one end, nothing waits, and none is empty. */
async function assertAllOnce({ members, people, dropped }: ReturnType<typeof crowd>): Promise<void> {
  const sent = await world.rows<{ event: string }>(
    `select jsonb_array_elements(payload -> 'data' -> 'items') -> 'data' ->> 'event' as event from carillon.intents
     where tenant_id = $1 and payload -> 'recipients' -> 0 ->> 'id' = any ($2)`,
    [world.tenant, people],
  )
  const wanted = members.filter(({ notificationId }) => !dropped.has(notificationId)).map(({ eventRef }) => eventRef)
  assert.deepEqual(sent.map(({ event }) => event).sort(), wanted.sort())
  const [look] = await world.rows(
    `select (select count(*)::int from carillon.digests where recipient_id = any ($1) and state <> 'closed') as open,
            (select count(*)::int from carillon.digest_members m join carillon.digests d on d.id = m.digest_id
              where d.recipient_id = any ($1)) as members,
            (select count(*)::int from carillon.notifications where recipient_id = any ($1) and outcome = 'sent') as sent,
            (select count(*)::int from carillon.notifications where recipient_id = any ($1) and outcome = 'suppressed') as suppressed,
            (select count(*)::int from carillon.status_events where data ->> 'recipient_id' = any ($1) and type = 'notification.digested') as digested,
            (select count(*)::int from carillon.status_events where data ->> 'recipient_id' = any ($1) and type = 'notification.folded') as folded,
            (select count(*)::int from carillon.status_events where data ->> 'recipient_id' = any ($1) and type = 'notification.digest.closed') as closed,
            (select count(*)::int from carillon.intents i join pgboss.job j on j.data -> 'ids' ? i.id::text
              where i.payload -> 'recipients' -> 0 ->> 'id' = any ($1)) as jobs`,
    [people],
  )
  const requests = people.length - 1
  assert.deepEqual(look, {
    open: 0,
    members: 0,
    sent: wanted.length,
    suppressed: dropped.size,
    digested: wanted.length,
    folded: members.length,
    closed: requests * 2,
    jobs: requests * 2,
  })
}

/** A worker that crashed is started again: its job comes again, and the sweeper looks again. */
async function runOnce(crowded: ReturnType<typeof crowd>, pool: pg.Pool): Promise<void> {
  await planFolded(world, crowded.members, pool)
  await closeDueDigests(deps(pool, crowded.dropped), new Date(clock.now().getTime() + 2 * minuteMs))
}

for (const crash of ['before', 'after'] as Crash[]) {
  test(`a crash ${crash} any statement of folding and closing neither doubles nor loses nor sends an empty one`, async () => {
    const counting = failingPool(world.worker)
    const calm = crowd()
    await runOnce(calm, counting.pool)
    await assertAllOnce(calm)
    const statements = counting.statements()
    assert.ok(statements >= 11, String(statements))
    for (let at = 1; at <= statements; at++) {
      const crowded = crowd()
      const crashing = failingPool(world.worker, at, crash)
      await assert.rejects(runOnce(crowded, crashing.pool), Error, `statement ${at}`)
      await runOnce(crowded, world.worker)
      await assertAllOnce(crowded)
    }
  })
}

test('plannings that come again beside closers that race, again and again', async () => {
  const crowded = crowd()
  const more = Array.from({ length: 60 }, (_, index) => folding(world, { recipient: crowded.people[index % 2]!, fold }))
  crowded.members.push(...more)
  const later = () => new Date(clock.now().getTime() + 2 * minuteMs)
  const closing = { ...deps(world.worker, crowded.dropped), most: { digests: 2, members: 8 } }
  const jobs = Array.from({ length: 13 }, (_, index) => crowded.members.slice(index * 6, index * 6 + 6))
  await Promise.all([
    ...jobs.map((job) => planFolded(world, job)),
    ...jobs.map((job) => planFolded(world, job)),
    ...Array.from({ length: 8 }, () => closeDueDigests(closing, later())),
  ])
  await Promise.all(jobs.map((job) => planFolded(world, job)))
  await closeDueDigests(closing, later())
  const sent = await world.rows<{ event: string; size: number }>(
    `select i.item -> 'data' ->> 'event' as event, (payload -> 'data' ->> 'count')::int as size
     from carillon.intents, jsonb_array_elements(payload -> 'data' -> 'items') as i (item)
     where payload -> 'recipients' -> 0 ->> 'id' = any ($1)`,
    [crowded.people],
  )
  const wanted = crowded.members.filter(({ notificationId }) => !crowded.dropped.has(notificationId))
  assert.deepEqual(sent.map(({ event }) => event).sort(), wanted.map(({ eventRef }) => eventRef).sort())
  assert.ok(sent.every(({ size }) => size <= 4))
})
