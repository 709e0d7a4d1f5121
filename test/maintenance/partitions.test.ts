import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { idTimeMs, notificationId } from '../../src/domain/ids.ts'
import { maintainPartitions } from '../../src/maintenance/partitions.ts'
import { createIdSource } from '../../src/platform/id-source.ts'
import { ensurePartitions } from '../../src/store/partitions.ts'
import { createWorld, type World } from '../support/world.ts'

const day = 86_400_000
const now = new Date()
const settings = { daysAhead: 7, retention: { flowDays: 90, auditDays: 365, inboxDays: 30, keyDays: 2 } }
let world: World
before(async () => {
  world = await createWorld()
})

const partitions = async (table: string) =>
  (
    await world.rows<{ day: string }>(`select day::text from carillon.partitions where table_name = $1 order by 1`, [
      table,
    ])
  ).map((row) => row.day)
const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

test('partitions reach from yesterday to a week ahead, and making them again makes none', async () => {
  await ensurePartitions(world.worker, 7, now)
  assert.deepEqual(await ensurePartitions(world.worker, 7, now), [])
  const days = await partitions('intents')
  assert.equal(days[0], dateOf(now.getTime() - day))
  assert.equal(days.at(-1), dateOf(now.getTime() + 7 * day))
})

test('ten processes that make the same partitions at once do not quarrel', async () => {
  const later = new Date(now.getTime() + 30 * day)
  await Promise.all(Array.from({ length: 10 }, () => ensurePartitions(world.worker, 3, later)))
  assert.ok((await partitions('deliveries')).includes(dateOf(later.getTime() + 3 * day)))
})

test('a row lands in the partition of its id’s day; without one it is refused', async () => {
  const id = world.ids.intentId()
  const insert = (intent: string) =>
    world.worker.query(
      `insert into carillon.intents (tenant_id, id, kind, type, priority, source, accepted_at, recipients, payload)
       values ($1, $2, 'direct', 't', 1, 'sql', now(), 0, '{}')`,
      [world.tenant, intent],
    )
  await insert(id)
  const [row] = await world.rows<{ name: string }>(
    'select tableoid::regclass::text as name from carillon.intents where id = $1',
    [id],
  )
  assert.equal(row?.name, `carillon.intents_${dateOf(idTimeMs(id)).replaceAll('-', '')}`)
  const far = createIdSource({ now: () => new Date(now.getTime() + 400 * day) }).intentId()
  await assert.rejects(insert(far), (error: { code?: string }) => error.code === '23514')
})

test('a day’s partitions are left to autovacuum when the day is over, and analyzed from the beginning', async () => {
  const options = async (table: string, ms: number) =>
    (
      await world.rows<{ options: string[] | null }>(
        'select reloptions as options from pg_class where oid = $1::regclass',
        [`carillon.${table}_${dateOf(ms).replaceAll('-', '')}`],
      )
    )[0]!.options ?? []
  const held = (found: string[]) => found.some((option) => option === 'autovacuum_vacuum_insert_threshold=-1')
  await maintainPartitions(world.worker, settings, now)
  for (const table of ['intents', 'deliveries', 'status_log']) {
    assert.ok(held(await options(table, now.getTime())), table)
    assert.ok(!held(await options(table, now.getTime() - day)), `${table} of yesterday`)
    assert.ok(!(await options(table, now.getTime())).some((option) => option.startsWith('autovacuum_enabled')))
  }
  assert.ok(!held(await options('inbox_items', now.getTime())), 'items are read and written all day')

  const tomorrow = new Date(now.getTime() + day)
  const vacuum = await world.admin.connect()
  try {
    await vacuum.query('begin')
    await vacuum.query(
      `lock table carillon.intents_${dateOf(now.getTime()).replaceAll('-', '')} in share update exclusive mode`,
    )
    await maintainPartitions(world.worker, settings, tomorrow)
    assert.ok(held(await options('intents', now.getTime())), 'somebody was in the way')
    assert.ok(!held(await options('deliveries', now.getTime())))
  } finally {
    await vacuum.query('rollback')
    vacuum.release()
  }
  await maintainPartitions(world.worker, settings, tomorrow)
  assert.ok(!held(await options('intents', now.getTime())))
  assert.deepEqual(await options('deliveries', now.getTime()), ['fillfactor=80'])
})

/** A story of `age` days ago whose delivery is in `state`. */
async function oldStory(age: number, state: string): Promise<Date> {
  const at = new Date(now.getTime() - age * day)
  await ensurePartitions(world.worker, 1, at)
  const intentId = createIdSource({ now: () => at }).intentId()
  await world.admin.query(
    `insert into carillon.deliveries (tenant_id, id, channel, state, priority, address, sent_at, next_attempt_at, created_at, updated_at)
     values ($1, $2, 'email', $3::text::carillon.delivery_state, 1, 'a@example.com', case when $3 = 'sent' then now() end, case when $3 = 'retrying' then now() end, now(), now())`,
    [world.tenant, notificationId(intentId, 1), state],
  )
  return at
}

test('days past their retention are dropped, but none that has something to do', async () => {
  const done = await oldStory(100, 'sent')
  const waiting = await oldStory(110, 'retrying')
  const report = await maintainPartitions(world.worker, settings, now)
  const name = (table: string, at: Date) => `${table}_${dateOf(at.getTime()).replaceAll('-', '')}`
  assert.ok(report.dropped.includes(name('deliveries', done)))
  assert.ok(report.dropped.includes(name('idempotency_keys', done)))
  assert.ok(!report.dropped.includes(name('audit_batches', done)), 'the audit log is kept for longer')
  for (const table of ['intents', 'notifications', 'deliveries', 'delivery_attempts']) {
    assert.ok(
      report.kept.some(({ partition }) => partition === name(table, waiting)),
      table,
    )
  }
  assert.ok((await partitions('deliveries')).includes(dateOf(waiting.getTime())))
})

test('a day with an intent that was accepted and never planned is kept, whatever its schedule says', async () => {
  const at = new Date(now.getTime() - 130 * day)
  await ensurePartitions(world.worker, 1, at)
  const intentId = createIdSource({ now: () => at }).intentId()
  await world.admin.query(
    `insert into carillon.intents (tenant_id, id, kind, type, priority, source, scheduled_at, accepted_at, recipients, payload)
     values ($1, $2, 'direct', 't', 1, 'sql', now() - interval '1 s', $3, 1, '{}')`,
    [world.tenant, intentId, at],
  )
  const kept = await maintainPartitions(world.worker, settings, now)
  const suffix = dateOf(at.getTime()).replaceAll('-', '')
  assert.deepEqual(
    kept.kept.filter(({ partition }) => partition.endsWith(suffix)).map(({ because }) => because),
    Array(4).fill('intents not planned yet'),
  )
  await world.admin.query(
    `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at, outcome)
     values ($1, $2, 'user', 'a', 't', 1, '{}', false, now(), now(), 'expired')`,
    [world.tenant, notificationId(intentId, 1)],
  )
  const dropped = await maintainPartitions(world.worker, settings, now)
  assert.ok(dropped.dropped.includes(`intents_${suffix}`))
})

test('neither making nor dropping a day stops the service behind an open transaction', async () => {
  const at = new Date(now.getTime() - 140 * day)
  await ensurePartitions(world.worker, 1, at)
  const open = await world.admin.connect()
  try {
    await open.query('begin')
    for (const table of ['intents', 'notifications', 'deliveries', 'status_log']) {
      await open.query(`select 1 from carillon.${table} limit 1`)
    }
    const made = await ensurePartitions(world.worker, 1, new Date(now.getTime() + 60 * day))
    assert.ok(made.length > 0, 'a reader is in nobody’s way')
    const report = await maintainPartitions(world.worker, settings, now)
    assert.ok(report.kept.some(({ because }) => because === 'in use by an open transaction'))
    await world.accept([world.intent()])
  } finally {
    await open.query('rollback')
    open.release()
  }
})

test('events that an enabled follower has not passed on are kept; of a switched-off one they are not', async () => {
  const at = new Date(now.getTime() - 120 * day)
  await ensurePartitions(world.worker, 1, at)
  const id = createIdSource({ now: () => at }).id()
  await world.admin.query(
    `insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events) values ($1, $2, now(), 1, $2, $2, '[{}]')`,
    [world.tenant, id],
  )
  const cursor = (enabled: boolean, xid: string) =>
    world.admin.query(
      `insert into carillon.feed_cursors values ('kafka', 'x', $2::text::xid8, $3, $1, now())
       on conflict (lane) do update set enabled = $1, xid = $2::text::xid8`,
      [enabled, xid, id],
    )
  await cursor(true, '1')
  const kept = await maintainPartitions(world.worker, settings, now)
  assert.ok(kept.kept.some(({ because }) => because === 'events not yet passed on'))
  await cursor(false, '1')
  const dropped = await maintainPartitions(world.worker, settings, now)
  assert.ok(dropped.dropped.includes(`status_log_${dateOf(at.getTime()).replaceAll('-', '')}`))
})

test('items that leave the inbox leave its counters', async () => {
  const at = new Date(now.getTime() - 40 * day)
  await ensurePartitions(world.worker, 1, at)
  const source = createIdSource({ now: () => at })
  const add = (id: string, readAt: Date | null) =>
    world.admin.query(
      `insert into carillon.inbox_items (tenant_id, recipient_id, id, type, title, data, created_at, read_at)
       values ($1, 'ann', $2, 't', 't', '{}', now(), $3)`,
      [world.tenant, id, readAt],
    )
  await add(source.id(), null)
  await add(source.id(), now)
  await add(world.ids.id(), null)
  await world.admin.query(`insert into carillon.inbox_counters values ($1, 'ann', 2, 3)`, [world.tenant])
  await maintainPartitions(world.worker, settings, now)
  assert.deepEqual(await world.rows(`select unread, unseen from carillon.inbox_counters where recipient_id = 'ann'`), [
    { unread: 1, unseen: 1 },
  ])
})
