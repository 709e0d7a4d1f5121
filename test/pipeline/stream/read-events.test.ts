import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FeedCursor, feedStart, type StatusEvent } from '../../../src/domain/status-event.ts'
import { readEvents, readHorizon } from '../../../src/pipeline/stream/read-events.ts'
import { asTenants, inTransaction, run, statement } from '../../../src/platform/db.ts'
import { testDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { appendEvents, newNotification, newTenant } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')

const page = (after: FeedCursor, limit: number) => inTransaction(worker, (trx) => readEvents(trx, after, limit))

/** Reads page by page until so many have come: another database's transactions may hide them for a moment. */
async function readUntil(count: number, after: FeedCursor, limit: number, read = page) {
  const events: StatusEvent[] = []
  let at = after
  await eventually(async () => {
    const next = await read(at, limit)
    events.push(...next.events)
    at = next.next
    assert.ok(events.length >= count)
  })
  return events.map((event) => event.id)
}

/** A place after all that the tests before have written. */
async function endOfLog(): Promise<FeedCursor> {
  const { rows } = await owner.query('select pg_current_xact_id()::text as xid')
  return eventually(async () => {
    const horizon = await inTransaction(worker, readHorizon)
    assert.ok(BigInt(horizon.xid) > BigInt(rows[0].xid))
    return horizon
  })
}

test('nothing is lost or repeated with 16 writers and a transaction that stays open among them', async () => {
  const begin = await endOfLog()
  const written: string[] = []
  const tenantId = newTenant()
  const slow = await owner.connect()
  await slow.query('begin')
  written.push(...(await appendEvents(slow, [{ tenantId, subjectId: newNotification() }])))

  let writing = true
  const seen: StatusEvent[] = []
  const nothingYet = () => seen.length === 0
  let at = begin
  const follow = async () => {
    const next = await page(at, 37)
    seen.push(...next.events)
    at = next.next
  }
  const following = (async () => {
    while (writing) await follow()
  })()
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    for (let round = 0; round < 40; round++) {
      await inTransaction(owner, async (trx) => {
        const events = Array.from({ length: 1 + ((writer + round) % 5) }, () => ({
          tenantId,
          subjectId: newNotification(),
        }))
        const ids = await appendEvents(trx, events)
        if (round % 3 === 0) ids.push(...(await appendEvents(trx, events))) // a second statement, made while others commit
        written.push(...ids)
      })
    }
  })
  await Promise.all(writers)
  assert.ok(nothingYet(), 'nothing that the open transaction could still precede was given out')
  written.push(...(await appendEvents(slow, [{ tenantId, subjectId: newNotification() }])))
  await slow.query('commit')
  slow.release()
  await eventually(() => assert.ok(seen.length >= written.length))
  writing = false
  await following
  assert.equal(seen.length, written.length)
  assert.deepEqual(seen.map((event) => event.id).sort(), written.sort())
  const inOrder = [...seen].sort((a, b) => Number(BigInt(a.xid) - BigInt(b.xid)) || (a.id < b.id ? -1 : 1))
  assert.deepEqual(
    seen.map((event) => event.id),
    inOrder.map((event) => event.id),
    'by transaction number, not by its text, and then by id',
  )
})

test('an event whose id is months older than its commit is read like any other', async () => {
  await owner.query(`select carillon.ensure_partitions('status_log', now() - interval '40 days', 0)`)
  const end = await endOfLog()
  await owner.query({
    text: `select carillon.append_events($1, carillon.new_intent_id(at), at,
        json_build_array(json_build_object('subject_id', carillon.new_id(at), 'type', 'notification.email.sent', 'data', '{}'::json)))
      from (select now() - interval '40 days' as at) as old`,
    values: [newTenant()],
  })
  assert.equal((await readUntil(1, end, 10)).length, 1)
})

test('a page may end within a transaction, and the next one goes on from there', async () => {
  const end = await endOfLog()
  const tenantId = newTenant()
  const ids = await appendEvents(
    owner,
    Array.from({ length: 10 }, () => ({ tenantId, subjectId: newNotification() })),
  )
  assert.deepEqual(await readUntil(10, end, 3), ids)
})

test('a follower that acts for a tenant reads the events of that tenant only', async () => {
  const end = await endOfLog()
  const [mine, other] = [newTenant(), newTenant()]
  const [id] = await appendEvents(owner, [
    { tenantId: mine, subjectId: newNotification() },
    { tenantId: other, subjectId: newNotification() },
  ])
  const api = database.pool('carillon_api')
  const read = (after: FeedCursor, limit: number) => asTenants(api, [mine], (trx) => readEvents(trx, after, limit))
  assert.deepEqual(await readUntil(1, end, 100, read), [id])
})

test('a cursor past the end of the log is refused: the database was set back', async () => {
  const horizon = await inTransaction(worker, readHorizon)
  const ahead = { ...horizon, xid: `${BigInt(horizon.xid) + 1_000_000n}` }
  await assert.rejects(page(ahead, 10), { code: 'FEED_AHEAD_OF_DATABASE' })
})

for (const role of ['carillon_worker', 'carillon_api']) {
  test(`the plan of ${role} is a Merge Append over status_log_feed of 90 partitions and sorts nothing`, async () => {
    await owner.query(`select carillon.ensure_partitions('status_log', now() - interval '88 days', 90)`)
    const { name, text } = statement('stream/read_status_events')
    const plan = await inTransaction(database.pool(role), async (trx) => {
      await run(trx, statement('stream/read_horizon'), [])
      const explain = { name: `explain ${name}`, text: `explain ${text}` }
      const rows = await run<{ 'QUERY PLAN': string }>(trx, explain, ['5', feedStart.id, 1_000])
      return rows.map((row) => row['QUERY PLAN'])
    })
    const { rows } = await owner.query<{ indexes: number }>(
      `select count(*)::int as indexes from pg_inherits where inhparent = 'carillon.status_log_feed'::regclass`,
    )
    assert.ok(rows[0]!.indexes >= 90)
    assert.ok(plan.some((line) => /Merge Append/.test(line)))
    assert.equal(
      plan.filter((line) => /Index Scan using status_log_\d{8}_xid_id_idx/.test(line)).length,
      rows[0]!.indexes,
    )
    assert.equal(
      plan.filter((line) => /Index Cond: .*ROW\(xid, id\) > .*pg_snapshot_xmin/.test(line)).length,
      rows[0]!.indexes,
    )
    assert.ok(!plan.some((line) => /\bSort\b(?! Key)|Seq Scan|Bitmap/.test(line)))
  })
}

test('of the log, only batches of tenants with a subscribed endpoint are read, and the place moves past the others', async () => {
  const begin = await endOfLog()
  const [subscribed, disabled, none] = [newTenant(), newTenant(), newTenant()]
  const endpoint = `insert into carillon.webhook_endpoints (tenant_id, id, url, secrets, created_at, event_types, since, disabled_at, disabled_reason)
    values ($1, gen_random_uuid(), 'https://example.com', '{whsec_}', now(), $2, pg_current_snapshot(), $3, $4)`
  await owner.query(endpoint, [subscribed, ['*'], null, null])
  await owner.query(endpoint, [disabled, ['*'], new Date(), 'gone'])
  const [wanted] = await appendEvents(
    owner,
    [subscribed, disabled, none].map((tenantId) => ({ tenantId, subjectId: newNotification() })),
  )
  const end = await endOfLog()
  const read = () => inTransaction(worker, (trx) => readEvents(trx, begin, 100, 'subscribed'))
  const { events, next, atEnd } = await read()
  assert.deepEqual(
    events.map(({ id }) => id),
    [wanted],
  )
  assert.ok(atEnd && BigInt(next.xid) >= BigInt(end.xid))
})

test('the plan of what subscribed endpoints are told of goes by status_log_feed, and asks the index of subscriptions', async () => {
  const { name, text } = statement('stream/read_subscribed_events')
  const plan = await inTransaction(worker, async (trx) => {
    await run(trx, statement('stream/read_horizon'), [])
    const explain = { name: `explain ${name}`, text: `explain ${text}` }
    const rows = await run<{ 'QUERY PLAN': string }>(trx, explain, ['5', feedStart.id, 1_000])
    return rows.map((row) => row['QUERY PLAN'])
  })
  assert.ok(plan.some((line) => /Merge Append/.test(line)))
  assert.ok(
    plan.some((line) => /Index (Only )?Scan using webhook_endpoints_h\d_tenant_id_idx/.test(line)),
    plan.join('\n'),
  )
  assert.ok(!plan.some((line) => /\bSort\b(?! Key)|Seq Scan|Bitmap/.test(line)), plan.join('\n'))
})
