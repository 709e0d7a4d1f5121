import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import pg from 'pg'
import { createWorld, type World } from '../support/world.ts'

let world: World
const tables = [
  'api_keys',
  'recipients',
  'contact_points',
  'templates',
  'webhook_endpoints',
  'inbox_counters',
  'intents',
  'notifications',
  'deliveries',
  'delivery_attempts',
  'status_log',
  'status_events',
  'audit_batches',
  'inbox_items',
  'idempotency_keys',
  'dead_letters',
  'asked',
  'categories',
  'preferences',
  'preference_versions',
  'consents',
  'suppressions',
]

before(async () => {
  world = await createWorld()
  for (const tenant of [world.tenant, world.otherTenant]) {
    const id = world.ids.intentId()
    const values = [tenant, id]
    const statements = [
      `insert into carillon.api_keys values ($1, $2, 'k', sha256('x'), '{send}', now())`,
      `insert into carillon.recipients (tenant_id, external_id, created_at, updated_at) values ($1, $2::uuid::text, now(), now())`,
      `insert into carillon.contact_points (tenant_id, recipient_id, channel, address, created_at) values ($1, $2::uuid::text, 'email', 'a@example.com', now())`,
      `insert into carillon.templates (tenant_id, id, name, version, channels, created_at, updated_at) values ($1, $2, 't', '1', '{}', now(), now())`,
      `insert into carillon.webhook_endpoints (tenant_id, id, url, secrets, created_at) values ($1, $2, 'https://example.com', '{whsec_x}', now())`,
      `insert into carillon.inbox_counters values ($1, $2::uuid::text, 0, 0)`,
      `insert into carillon.intents (tenant_id, id, kind, type, priority, source, accepted_at, recipients, payload) values ($1, $2, 'direct', 't', 1, 'sql', now(), 1, '{}')`,
      `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at) values ($1, $2, 'user', 'a', 't', 1, '{}', false, now(), now())`,
      `insert into carillon.deliveries (tenant_id, id, channel, state, priority, address, created_at, updated_at) values ($1, $2, 'email', 'queued', 1, 'a@example.com', now(), now())`,
      `insert into carillon.delivery_attempts (tenant_id, delivery_id, attempt, channel, provider, outcome, possible_duplicate, started_at) values ($1, $2, 1, 'email', 'x', 'accepted', false, now())`,
      `insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
        values ($1, $2, now(), 1, $2, $2, json_build_array(json_build_object('subject_id', $2::uuid, 'type', 't', 'data', '{}'::json)))`,
      `insert into carillon.audit_batches values ($1, $2, now(), 1, $2, $2, '[{}]')`,
      `insert into carillon.inbox_items (tenant_id, recipient_id, id, type, title, data, created_at) values ($1, 'a', $2, 't', 't', '{}', now())`,
      `insert into carillon.idempotency_keys values ($1, $2::uuid::text, current_date, sha256('x'), $2, now())`,
      `insert into carillon.asked (tenant_id, id, priority) values ($1, $2, 1)`,
      `insert into carillon.categories (tenant_id, name, required, marketing, enabled, frequency, on_excess, created_at, updated_at)
        values ($1, $2::uuid::text, false, false, true, 'instant', 'snooze', now(), now())`,
      `insert into carillon.preferences values ($1, $2::uuid::text, 1, '{}', now(), 'a test')`,
      `insert into carillon.consents (tenant_id, recipient_id, category, at, granted, source) values ($1, $2::uuid::text, 'c', now(), true, 's')`,
      `insert into carillon.suppressions (tenant_id, channel, address, reason, source, created_at)
        values ($1, 'email', $2::uuid::text, 'manual', 's', now())`,
      `insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at) values ($1, $2, 'email', 'transient', 1, now())`,
    ]
    for (const text of statements) await world.admin.query(text, text.includes('$2') ? values : [tenant])
  }
})

async function inTransaction<T>(
  pool: pg.Pool,
  tenant: string | undefined,
  work: (client: pg.PoolClient) => Promise<T>,
) {
  const client = await pool.connect()
  try {
    await client.query('begin')
    if (tenant !== undefined) await client.query(`select set_config('carillon.tenant_id', $1, true)`, [tenant])
    return await work(client)
  } finally {
    await client.query('rollback')
    client.release()
  }
}

const tenantsIn = async (client: pg.ClientBase, table: string) =>
  (await client.query<{ tenant_id: string }>(`select distinct tenant_id from carillon.${table}`)).rows.map(
    (row) => row.tenant_id,
  )

for (const table of tables) {
  test(`${table}: the API sees the tenant it acts for, and nothing without one`, async () => {
    await inTransaction(world.api, world.tenant, async (client) => {
      assert.deepEqual(await tenantsIn(client, table), [world.tenant])
      const { rows } = await client.query(`select 1 from carillon.${table} where tenant_id = $1`, [world.otherTenant])
      assert.deepEqual(rows, [])
    })
    await inTransaction(world.api, undefined, async (client) => assert.deepEqual(await tenantsIn(client, table), []))
    assert.equal((await inTransaction(world.worker, undefined, (client) => tenantsIn(client, table))).length, 2)
  })
}

test('what the bridge keeps is for operators: no tenant’s role may look at it', async () => {
  for (const table of ['bridge_offsets', 'parked_messages']) {
    await world.worker.query(`select 1 from carillon.${table}`)
    for (const role of ['carillon_api', 'carillon_analyst', 'carillon_caller']) {
      const { rows } = await world.admin.query(
        `select has_table_privilege($1, $2, 'select') or has_any_column_privilege($1, $2, 'select') as may`,
        [role, `carillon.${table}`],
      )
      assert.deepEqual(rows, [{ may: false }], `${role} on ${table}`)
    }
  }
})

test('the acting tenant ends with its transaction', async () => {
  const client = await world.api.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('carillon.tenant_id', $1, true)`, [world.tenant])
    await client.query('commit')
    assert.deepEqual(await tenantsIn(client, 'intents'), [])
  } finally {
    client.release()
  }
})

test('the API cannot write for another tenant, nor move a row to one', async () => {
  const forbidden = [
    `insert into carillon.recipients (tenant_id, external_id, created_at, updated_at) values ($1, 'x', now(), now())`,
    `insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events) select $1, id, now(), 1, id, id, '[]' from carillon.intents limit 1`,
    `update carillon.recipients set tenant_id = $1`,
  ]
  for (const text of forbidden) {
    await inTransaction(world.api, world.tenant, (client) =>
      assert.rejects(client.query(text, [world.otherTenant]), (error: { code?: string }) => error.code === '42501'),
    )
  }
  await inTransaction(world.api, world.tenant, async (client) => {
    const { rowCount } = await client.query(`update carillon.deliveries set state = 'cancelled' where tenant_id = $1`, [
      world.otherTenant,
    ])
    assert.equal(rowCount, 0)
  })
})

test('a partition cannot be read past its parent’s policy', async () => {
  const [partition] = await world.rows<{ name: string }>(
    `select partition_name as name from carillon.partitions where table_name = 'intents' order by day desc limit 1`,
  )
  for (const pool of [world.api, world.worker]) {
    await assert.rejects(
      pool.query(`select * from carillon.${partition!.name}`),
      (error: { code?: string }) => error.code === '42501',
    )
  }
})

test('an analyst’s login sees its own tenant whatever it sets, and neither addresses nor content', async () => {
  const name = `analyst_${world.ids.id().replaceAll('-', '')}`
  await world.admin.query(`create role ${name} login password 'x' in role carillon_analyst`)
  await world.admin.query('insert into carillon.role_bindings values ($1, $2, now())', [world.tenant, name])
  const url = new URL(world.url)
  url.username = name
  url.password = 'x'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  try {
    for (const setting of [undefined, world.tenant]) {
      if (setting) await client.query(`set carillon.tenant_id = '${setting}'`)
      for (const table of ['intents', 'notifications', 'deliveries', 'delivery_attempts', 'status_events']) {
        assert.deepEqual(await tenantsIn(client, table), [world.tenant], table)
      }
    }
    await client.query(`set carillon.tenant_id = '${world.otherTenant}'`)
    assert.deepEqual(await tenantsIn(client, 'intents'), [])
    await client.query('reset carillon.tenant_id')
    const forbidden = [
      'select payload from carillon.intents',
      'select address from carillon.deliveries',
      'select secrets from carillon.webhook_endpoints',
      'select line from carillon.audit_log',
      'select lines from carillon.audit_batches',
      'select * from carillon.contact_points',
      'select document from carillon.preferences',
      'select proof from carillon.consents',
      'select address from carillon.suppressions',
      'select key from carillon.signing_keys',
      'select * from carillon.api_keys',
      'delete from carillon.status_log',
      `update carillon.deliveries set state = 'sent'`,
      'set role carillon_worker',
    ]
    for (const text of forbidden) {
      await assert.rejects(client.query(text), (error: { code?: string }) => error.code === '42501', text)
    }
  } finally {
    await client.end()
  }
})

test('no function with its owner’s rights looks for names where a caller may put them', async () => {
  const unsafe = await world.rows<{ name: string }>(
    `select oid::regprocedure::text as name from pg_proc
     where pronamespace = 'carillon'::regnamespace and prosecdef
       and not coalesce(proconfig @> array['search_path=pg_catalog, pg_temp'], false)`,
  )
  assert.deepEqual(unsafe, [])
  const forAll = await world.rows(
    `select oid::regprocedure::text as name from pg_proc
     where pronamespace = 'carillon'::regnamespace and has_function_privilege('public', oid, 'execute')`,
  )
  assert.deepEqual(forAll, [], 'functions that PUBLIC may call')
})
