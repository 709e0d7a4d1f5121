import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notificationId } from '../../src/domain/ids.ts'
import { asTenants, type Queryable } from '../../src/platform/db.ts'
import {
  findDecisions,
  findExplainedDeliveries,
  findExplainedEvents,
  findExplainedIntent,
  findLastPlanned,
  findNotificationsOfIntent,
  findNotificationsOfRecipient,
} from '../../src/store/explained-stories.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()

// So many batches that reading them all would show; each of a story of its own, in the order of time.
for (const [table, column] of [
  ['status_log', 'events'],
  ['decision_batches', 'lines'],
]) {
  await world.admin.query(
    `insert into carillon.${table} (tenant_id, id, at, ${table === 'status_log' ? 'size, first_subject, last_subject' : 'size, first_id, last_id'}, ${column})
     select $1, s.id, now(), 1, carillon.notification_id(s.id, 1), carillon.notification_id(s.id, 1),
       json_build_array(json_build_object('id', carillon.notification_id(s.id, 1), 'subject_id', carillon.notification_id(s.id, 1), 'type', 'notification.suppressed', 'data', json_build_object('filler', repeat('x', 300))))
     from (select carillon.new_intent_id(now() + n * interval '1 millisecond') as id from generate_series(1, 20000) n) s`,
    [world.tenant],
  )
}
await world.admin.query(
  `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at)
   select tenant_id, first_subject, 'user', 'user-' || right(first_subject::text, 1), 'a', 1, '{email}', false, now(), now() from carillon.status_log`,
)
await world.admin.query(
  `insert into carillon.deliveries (tenant_id, id, channel, state, priority, address, created_at, updated_at)
   select tenant_id, (left(id::text, 34) || '01')::uuid, 'email', 'queued', 1, 'a@b.c', now(), now() from carillon.notifications`,
)
await world.admin.query('vacuum analyze')

const [{ id: intentId } = { id: '' }] = await world.rows<{ id: string }>(
  'select id from carillon.status_log order by id offset 10000 limit 1',
)
const id = notificationId(intentId, 1)

/** The rows that a read has touched in all, and the tables that it walked from one end to the other. */
async function workOf(read: (on: Queryable) => Promise<unknown>): Promise<{ read: number; whole: string[] }> {
  return asTenants(world.api, [world.tenant], async (trx) => {
    let read_ = 0
    const whole: string[] = []
    const walk = (node: Record<string, unknown>): void => {
      if (node['Relation Name']) {
        const seen = ['Actual Rows', 'Rows Removed by Filter', 'Rows Removed by Index Recheck']
        const rows = seen.reduce((sum, name) => sum + Number(node[name] ?? 0), 0) * Number(node['Actual Loops'] ?? 1)
        read_ += rows
        if (node['Node Type'] === 'Seq Scan' && rows > 1_000) whole.push(String(node['Relation Name']))
      }
      for (const child of (node.Plans as Record<string, unknown>[]) ?? []) walk(child)
    }
    await read({
      async query({ text, values }) {
        const { rows } = await trx.query({ text: `explain (analyze, format json) ${text}`, values })
        walk(rows[0]['QUERY PLAN'][0].Plan)
        return trx.query({ text, values })
      },
    })
    return { read: read_, whole }
  })
}

const reads: [string, (on: Queryable) => Promise<unknown>][] = [
  ['an intent', (on) => findExplainedIntent(on, world.tenant, intentId)],
  [
    'what a recipient got of an intent',
    (on) => findNotificationsOfRecipient(on, world.tenant, intentId, ['user-0'], 50),
  ],
  ['the first notifications of an intent', (on) => findNotificationsOfIntent(on, world.tenant, intentId, 2)],
  ['the last notification of an intent', (on) => findLastPlanned(on, world.tenant, intentId, 'user-1')],
  ['the events of a story', (on) => findExplainedEvents(on, world.tenant, intentId, [id])],
  ['the decisions of a notification', (on) => findDecisions(on, world.tenant, [id])],
  ['the deliveries of a notification', (on) => findExplainedDeliveries(on, world.tenant, [id])],
]
for (const [what, read] of reads) {
  test(`${what} is read by an index, and not with all that others got`, async () => {
    const { read: rows, whole } = await workOf(read)
    assert.deepEqual(whole, [])
    assert.ok(rows < 3_000, `${rows} rows of 20,000`)
  })
}

test('the events and the decisions are those of the story alone', async () => {
  const [kept] = await world.rows<{ id: string }>(
    'select first_id as id from carillon.decision_batches order by id offset 10000 limit 1',
  )
  const found = await asTenants(world.api, [world.tenant], async (trx) => ({
    events: await findExplainedEvents(trx, world.tenant, intentId, [id]),
    decisions: await findDecisions(trx, world.tenant, [id, kept!.id]),
  }))
  assert.deepEqual(
    found.events.map(({ subjectId }) => subjectId),
    [id],
  )
  assert.deepEqual(
    found.decisions.map((row) => row.id),
    [kept!.id],
  )
})
