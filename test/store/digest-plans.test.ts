import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { inTransaction, statement } from '../../src/platform/db.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
let some: { id: string; notification: string }[]
before(async () => {
  world = await createWorld()
  await world.admin.query(
    `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at)
     select $1, carillon.notification_id(carillon.new_intent_id(now()), 1), 'user', 'user-' || n, 'a', 1, '{email}', false, now(), now()
     from generate_series(1, 20000) n`,
    [world.tenant],
  )
  await world.admin.query(
    `insert into carillon.digests (tenant_id, id, recipient_id, recipient, key, kind, policy, opened_at, closes_at, size, count, retime)
     select tenant_id, gen_random_uuid(), recipient_id, '{}', 'k', 'digest', '{}', now(), now() + random() * interval '10 days', 9, 1, random() < 0.01
     from carillon.notifications`,
  )
  await world.admin.query(
    `update carillon.digests set state = 'closed', close_reason = 'window', closed_at = closes_at where random() < 0.5`,
  )
  await world.admin.query(
    `insert into carillon.digest_members (tenant_id, digest_id, event_ref, notification_ids, item, said, at)
     select d.tenant_id, d.id, 'e', array[n.id], '{}', '{}', now()
     from carillon.digests d join carillon.notifications n on n.recipient_id = d.recipient_id`,
  )
  await world.admin.query('analyze carillon.digests, carillon.digest_members, carillon.notifications')
  some = await world.rows(
    `select digest_id as id, notification_ids[1] as notification from carillon.digest_members limit 20`,
  )
})

/** Undone, with the settings of the flow's pool, and the plan that serves every set of parameters. */
async function planOf(text: string, values: unknown[]): Promise<{ indexes: Set<string>; read: string[] }> {
  const indexes = new Set<string>()
  const read: string[] = []
  const walk = (node: Record<string, unknown>): void => {
    if (typeof node['Index Name'] === 'string') indexes.add(node['Index Name'])
    const rows = Number(node['Actual Rows'] ?? 0) + Number(node['Rows Removed by Filter'] ?? 0)
    if (node['Node Type'] === 'Seq Scan' && rows > 0) read.push(String(node['Relation Name']))
    for (const child of (node.Plans as Record<string, unknown>[]) ?? []) walk(child)
  }
  await inTransaction(world.worker, async (trx) => {
    await trx.query('set local plan_cache_mode = force_generic_plan')
    await trx.query('set local enable_nestloop = off')
    const { rows } = await trx.query(`explain (analyze, format json) ${text}`, values)
    walk(rows[0]['QUERY PLAN'][0].Plan)
    throw new Error('undone')
  }).catch((error: Error) => assert.equal(error.message, 'undone'))
  return { indexes, read }
}

test('what is due is found by its index', async () => {
  const { indexes, read } = await planOf(statement('digests/take_due').text, [
    new Date(Date.now() + 3_600_000),
    200,
    5_000,
  ])
  assert.ok(indexes.has('digests_due'), [...indexes].join())
  assert.deepEqual(read, [])
})

test('members are taken by the ids of their digests', async () => {
  const ids = some.map(({ id }) => id)
  const { indexes, read } = await planOf(statement('digests/take_members').text, [
    [world.tenant],
    ids,
    [world.tenant],
    ids,
  ])
  assert.ok(indexes.has('digest_members_pkey'), [...indexes].join())
  assert.deepEqual(read, [])
})

test('finishing touches the notifications that it names', async () => {
  const notifications = some.map(({ notification }) => notification).sort()
  const key = { tenant_id: world.tenant }
  const ended = notifications.map((id) => ({ ...key, id, outcome: 'sent', reason: 'digested' }))
  const { indexes, read } = await planOf(statement('digests/finish').text, [
    new Date(),
    JSON.stringify(some.map(({ id }) => ({ ...key, id, state: 'closed', close_reason: 'window' }))),
    '[]',
    '[]',
    JSON.stringify(ended),
    [world.tenant],
    some.map(({ id }) => id),
    notifications,
    notifications[0],
    notifications.at(-1),
    '[]',
  ])
  assert.ok(
    [...indexes].some((name) => /notifications_\d+_pkey/.test(name)),
    [...indexes].join(),
  )
  assert.ok(indexes.has('digests_pkey'), [...indexes].join())
  assert.deepEqual(read, [])
})

test('digests that are to be looked at again are found by their index', async () => {
  const { indexes } = await planOf(statement('digests/take_retimed').text, [100])
  assert.ok(indexes.has('digests_retime'), [...indexes].join())
})
