import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { firstIdAt, lastIdOf, notificationId } from '../../src/domain/ids.ts'
import { asTenants, type Queryable, statement } from '../../src/platform/db.ts'
import { type NotificationPage, pageNotifications } from '../../src/store/notifications.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const dayMs = 86_400_000
const now = world.clock.now().getTime()

// Enough rows, and spread over days, that a plan without the index or with every partition would cost more.
await world.admin.query(
  `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at)
   select $1, carillon.notification_id(carillon.new_intent_id(now() + (n % 3) * interval '1 day'), 1), 'user', 'user-' || n % 100, 'a', 1, '{email}', false, now(), now()
   from generate_series(1, 30000) n`,
  [world.tenant],
)
await world.admin.query(
  `insert into carillon.deliveries (tenant_id, id, channel, state, priority, address, created_at, updated_at)
   select tenant_id, (left(id::text, 34) || '01')::uuid, 'email', 'queued', 1, 'a@b.c', now(), now() from carillon.notifications`,
)
await world.admin.query(
  `insert into carillon.inbox_items (tenant_id, recipient_id, id, type, title, data, created_at)
   select tenant_id, recipient_id, id, 'a', 'a', '{}', now() from carillon.notifications`,
)
await world.admin.query('analyze')
const ids = (
  await world.rows<{ id: string }>('select id from carillon.notifications where id < $1 order by id limit 20', [
    firstIdAt(now + dayMs / 2),
  ])
).map(({ id }) => id)
const [least, greatest] = [ids[0]!, ids.at(-1)!]

/** The generic plan, which is what a prepared statement comes to: without the values of its parameters. */
async function planOf(
  path: string,
  values: unknown[],
  text = statement(path).text,
): Promise<{ indexes: Set<string>; partitions: number; scans: string[]; touched: number }> {
  return asTenants(world.api, [world.tenant], async (trx) => {
    await trx.query(`set local plan_cache_mode = force_generic_plan`)
    const { rows } = await trx.query({ name: path, text: `explain (analyze, format json) ${text}`, values })
    const indexes = new Set<string>()
    const relations = new Set<string>()
    const scans: string[] = []
    const touched = new Set<string>()
    const walk = (node: Record<string, unknown>): void => {
      if (typeof node['Index Name'] === 'string') indexes.add(node['Index Name'])
      if (node['Relation Name'] && Number(node['Actual Loops']) > 0) relations.add(String(node['Relation Name']))
      if (node['Relation Name'] && Number(node['Actual Rows']) > 0) touched.add(String(node['Relation Name']))
      const read = Number(node['Actual Rows'] ?? 0) + Number(node['Rows Removed by Filter'] ?? 0)
      if (node['Node Type'] === 'Seq Scan' && read > 0) scans.push(String(node['Relation Name'])) // an empty table is read as it is
      for (const child of (node.Plans as Record<string, unknown>[]) ?? []) walk(child)
    }
    walk(rows[0]['QUERY PLAN'][0].Plan)
    return { indexes, partitions: relations.size, scans, touched: touched.size }
  })
}

describe('the plan of', () => {
  const stories = [ids, ids.map(lastIdOf)]
  const cases: [path: string, values: unknown[], index: RegExp][] = [
    ['read/notifications_by_id', [world.tenant, ids, least, greatest], /notifications_\d+_pkey/],
    ['read/intents_by_id', [world.tenant, ids, least, greatest], /intents_\d+_pkey/],
    ['read/deliveries_of', [world.tenant, ...stories, least, lastIdOf(greatest)], /deliveries_\d+_pkey/],
    ['read/attempts_of', [world.tenant, ...stories, least, lastIdOf(greatest)], /delivery_attempts_\d+_pkey/],
    [
      'read/inbox_items_of',
      [world.tenant, ids.map(() => 'user-1'), ...stories, least, lastIdOf(greatest)],
      /inbox_items_\d+_pkey/,
    ],
  ]
  for (const [path, values, index] of cases) {
    it(`sql/${path}.sql uses the index it names, in the partition of the ids alone`, async () => {
      const plan = await planOf(path, values)
      assert.equal(plan.partitions, 1)
      assert.deepEqual(plan.scans, [])
      if (!/intents|attempts/.test(path)) {
        // the others have no rows here, and an empty table needs no index
        assert.ok(
          [...plan.indexes].some((name) => index.test(name)),
          [...plan.indexes].join(),
        )
      }
    })
  }

  it('sql/read/inbox_feed.sql reads one inbox by the primary key', async () => {
    const place = ['0', notificationId(ids[0]!, 1)]
    const plan = await planOf('read/inbox_feed', [world.tenant, 'user-1', ...place, '9000000000000000000', 100])
    assert.deepEqual(plan.scans, [])
    assert.ok(
      [...plan.indexes].some((name) => /inbox_items_\d+_pkey/.test(name)),
      [...plan.indexes].join(),
    )
  })

  const pages: [name: string, page: Partial<NotificationPage>, index: RegExp, partitions: number][] = [
    ['all notifications', {}, /notifications_\d+_pkey/, 1],
    ['what is older than a cursor', { below: ids.at(-1)! }, /notifications_\d+_pkey/, 1],
    ["one recipient's", { recipientId: 'user-1' }, /notifications_\d+_tenant_id_recipient_id_id_idx/, 1],
  ]
  for (const [name, page, index, partitions] of pages) {
    it(`a page of ${name} stops where it is full`, async () => {
      let asked: { text: string; values: unknown[] } | undefined
      const listening = {
        query: async (config: { text: string; values?: unknown[] }) => {
          asked = { text: config.text, values: config.values ?? [] }
          return { rows: [] }
        },
      } as unknown as Queryable
      await pageNotifications(listening, world.tenant, { newestFirst: true, limit: 20, ...page })
      const plan = await planOf(`page of ${name}`, asked!.values, asked!.text)
      assert.deepEqual(plan.scans, [])
      assert.ok(
        [...plan.indexes].some((one) => index.test(one)),
        [...plan.indexes].join(),
      )
      assert.ok(plan.touched <= partitions, `${plan.touched} partitions gave rows`)
    })
  }
})
