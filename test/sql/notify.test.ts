import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import pg from 'pg'
import { validateSend } from '../../src/pipeline/accept/validate-send.ts'
import { createAsked } from '../../src/queue/asked.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})

/** A fresh database login with the given role, bound to the given tenants. */
async function login(role: 'carillon_caller' | 'carillon_analyst', tenants: string[]): Promise<pg.Client> {
  const name = `login_${world.ids.id().replaceAll('-', '')}`
  await world.admin.query(`create role ${name} login password 'x' in role ${role}`)
  for (const tenant of tenants) {
    await world.admin.query('insert into carillon.role_bindings values ($1, $2, now())', [tenant, name])
  }
  const url = new URL(world.url)
  url.username = name
  url.password = 'x'
  const client = new pg.Client({ connectionString: url.href })
  await client.connect()
  return client
}

async function as<T>(client: pg.Client, work: (client: pg.Client) => Promise<T>): Promise<T> {
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const notify = `select carillon.notify(type => 'shop.order.shipped', recipient => '{"id": "ann", "email": "ann@example.com"}',
  subject => 'Shipped', body => 'On its way', idempotency_key => $1) as id`
const intents = async (key: string) =>
  (await world.rows('select 1 from carillon.intents where idempotency_key = $1', [key])).length
const withCode = (code: string) => (error: { code?: string }) => error.code === code

test('in the caller’s transaction: a rollback sends nothing, a commit cannot be lost', async () => {
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    await client.query('begin')
    await client.query(notify, ['rolled-back'])
    await client.query('rollback')
    await client.query('begin')
    await client.query(notify, ['committed'])
    await client.query('commit')
  })
  assert.equal(await intents('rolled-back'), 0)
  assert.equal(await intents('committed'), 1)
  const asked = await world.rows('select 1 from carillon.asked where tenant_id = $1', [world.tenant])
  assert.equal(asked.length, 1)
})

test('the same key answers with the first notification; another payload is refused', async () => {
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    const [first, again] = [await client.query(notify, ['k']), await client.query(notify, ['k'])]
    assert.equal(first.rows[0].id, again.rows[0].id)
    await assert.rejects(client.query(notify.replace('On its way', 'Other'), ['k']), withCode('23505'))
  })
})

test('once taken it leaves what a batch leaves: the intent, its event, and its job on the queue of its priority', async () => {
  const ask = notify.replace('type =>', `priority => 'critical', scheduled_at => now() + interval '1 h', type =>`)
  await as(await login('carillon_caller', [world.tenant]), (client) => client.query(ask, ['left']))
  const [intent] = await world.rows(
    `select id, kind, priority, source, recipients, payload from carillon.intents where idempotency_key = 'left'`,
  )
  const { id, ...row } = intent!
  const recipient = { id: 'ann', type: 'user', email: 'ann@example.com' }
  assert.deepEqual(row, {
    kind: 'direct',
    priority: 3,
    source: 'sql',
    recipients: 1,
    payload: { recipients: [recipient], subject: 'Shipped', body: 'On its way', data: {}, metadata: {} },
  })
  assert.deepEqual(await world.rows('select type from carillon.events_of($1)', [id]), [], 'told of with its job')
  await createAsked({ pool: world.worker, clock: world.clock, lane: 'critical', chunkSize: 500 }).take(10, [])
  const events = await world.rows('select type, data from carillon.events_of($1)', [id])
  const data = { kind: 'direct', type: 'shop.order.shipped', source: 'sql', idempotency_key: 'left' }
  assert.deepEqual(events, [{ type: 'notification.intent.received', data }])
  const jobs = await world.rows(
    `select name, priority, dead_letter, start_after > now() + interval '50 minutes' as later from pgboss.job where data = $1`,
    [{ tenant_id: world.tenant, ids: [id], priority: 3 }],
  )
  assert.deepEqual(jobs, [{ name: 'intents-critical', priority: 3, dead_letter: 'stuck', later: true }])
})

test('of two open transactions with one key the second waits, and answers with what became of the first', async () => {
  for (const end of ['commit', 'rollback']) {
    await as(await login('carillon_caller', [world.tenant]), async (first) =>
      as(await login('carillon_caller', [world.tenant]), async (second) => {
        await first.query('begin')
        const { rows } = await first.query(notify, [end])
        const waiting = second.query(notify, [end])
        await first.query(end)
        assert.equal((await waiting).rows[0].id === rows[0].id, end === 'commit')
      }),
    )
    assert.equal(await intents(end), 1)
  }
})

test('a key of yesterday is remembered for its day, and then free', async () => {
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    const ask = async (text = notify): Promise<string> => (await client.query(text, ['yesterday'])).rows[0].id
    const age = (interval: string) =>
      world.admin.query(
        `update carillon.idempotency_keys set bucket = (now() at time zone 'UTC')::date - 1, created_at = now() - $1::interval
         where key = 'yesterday' and bucket = (select min(bucket) from carillon.idempotency_keys where key = 'yesterday')`,
        [interval],
      )
    const first = await ask()
    await age('23 h')
    assert.equal(await ask(), first)
    await assert.rejects(ask(notify.replace('On its way', 'Other')), withCode('23505'))
    await age('25 h')
    await world.admin.query(
      `delete from carillon.idempotency_keys where key = 'yesterday' and bucket >= (now() at time zone 'UTC')::date`,
    )
    assert.notEqual(await ask(), first)
  })
})

test('a key that the service has taken is taken here too, and the other way round', async () => {
  const content = {
    recipients: [{ type: 'user' as const, id: 'ann', email: 'ann@example.com' }],
    channels: undefined,
    subject: 'Shipped',
    body: 'On its way',
  }
  const fields = { type: 'shop.order.shipped' }
  const accept = async (key: string) =>
    (await world.accept([world.intent(content, { ...fields, idempotencyKey: key })]))[0]!
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    const ask = async (key: string): Promise<string> => (await client.query(notify, [key])).rows[0].id
    const intentOf = async (id: string) => (await world.rows('select carillon.intent_id_of($1) as id', [id]))[0]!.id
    assert.equal(await intentOf(await ask('there')), (await accept('there')).intentId)
    const { intentId } = await accept('here')
    assert.equal(await intentOf(await ask('here')), intentId)
  })
})

test('in the last hour of a day a key is taken in both days or in none', async () => {
  const [row] = await world.rows<{ late: Date }>(
    `select date_trunc('day', now(), 'UTC') + interval '23 h 30 min' as late`,
  )
  const late = row!.late
  const client = await world.admin.connect()
  const accept = async (key: string): Promise<string | null> =>
    (
      await client.query(
        `select carillon.accept_intent($1, $2, 'a.b', 1::smallint, null, $3, null, null, null, 'sql', null, null, '{}') as id`,
        [late, world.tenant, key],
      )
    ).rows[0].id
  const claims = (key: string) =>
    world.rows(
      `select bucket - ($2::timestamptz at time zone 'UTC')::date as day, intent_id from carillon.idempotency_keys where key = $1 order by bucket`,
      [key, late],
    )
  try {
    await client.query(`set carillon.tenant_id = '${world.tenant}'`)
    const both = await accept('both')
    assert.deepEqual(await claims('both'), [
      { day: 0, intent_id: both },
      { day: 1, intent_id: both },
    ])
    assert.equal(await accept('both'), both)

    const other = world.ids.intentId()
    await client.query(
      `insert into carillon.idempotency_keys select tenant_id, 'beyond', bucket, payload_hash, $1, created_at
       from carillon.idempotency_keys where key = 'both' and bucket = ($2::timestamptz at time zone 'UTC')::date + 1`,
      [other, late],
    )
    assert.equal(await accept('beyond'), other)
    assert.deepEqual(await claims('beyond'), [{ day: 1, intent_id: other }])
    assert.equal(await intents('beyond'), 0)
  } finally {
    await client.query('reset carillon.tenant_id')
    client.release()
  }
})

test('what few calls have is taken as it should be', async () => {
  const recipient = { type: 'Role', id: 'ops', name: 'n'.repeat(1500), locale: 'pt-BR', timezone: 'Europe/Lisbon' }
  await as(await login('carillon_caller', [world.tenant]), (client) =>
    client.query(
      `select carillon.notify(type => 'rare', recipient => $1, template => 't', channels => '{EMAIL,Sms}', fallback_channels => '{Voice}',
         category => 'c', event_id => 'e', correlation_id => 'x', expires_at => now() + interval '1 day')`,
      [recipient],
    ),
  )
  const [row] = await world.rows(
    `select category, event_id, correlation_id, payload from carillon.intents where type = 'rare'`,
  )
  assert.deepEqual(row, {
    category: 'c',
    event_id: 'e',
    correlation_id: 'x',
    payload: {
      recipients: [{ ...recipient, type: 'role' }],
      template: 't',
      channels: ['email', 'sms'],
      fallbackChannels: ['voice'],
      data: {},
      metadata: {},
    },
  })
})

test('a caller can call carillon.notify and nothing else', async () => {
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    const forbidden = [
      'select * from carillon.intents',
      'select * from carillon.notifications',
      'select * from carillon.role_bindings',
      'select * from carillon.tenants',
      'select * from pgboss.job',
      `insert into carillon.role_bindings values ('${world.otherTenant}', session_user, now())`,
      `select carillon.accept_intents(now(), null, false, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '[]', '[]')`,
      `select carillon.enqueue('[]')`,
      `select carillon.ensure_partitions('intents', now(), 1)`,
      `select carillon.drop_partition('intents', current_date, now())`,
      'select carillon.current_tenants()',
      'select carillon.session_tenants()',
      'select * from carillon.asked',
      `select carillon.take_asked('bulk', null, now(), 1, 1, 1, '{}')`,
      'select carillon.oldest_asked()',
      `select carillon.accept_intent(now(), '${world.tenant}', 'a', 1::smallint, null, null, null, null, null, 'sql', null, null, '{}')`,
      'select carillon.new_id(now())',
      `select carillon.read_schedule('{}')`,
      'create table carillon.mine ()',
      'set role carillon_worker',
      'set role carillon_api',
    ]
    for (const text of forbidden) await assert.rejects(client.query(text), withCode('42501'), text)
  })
})

test('a caller acts for the tenants it is bound to, whatever it sets', async () => {
  await as(await login('carillon_caller', []), async (client) => {
    await client.query(`set carillon.tenant_id = '${world.tenant}'`)
    await assert.rejects(client.query(notify, ['unbound']), withCode('42501'))
  })
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    const naming = notify.replace('type =>', `tenant => '${world.otherTenant}', type =>`)
    await assert.rejects(client.query(naming, ['other']), withCode('42501'))
    await client.query(`set carillon.tenant_id = '${world.otherTenant}'`)
    await assert.rejects(client.query(notify, ['other']), withCode('42501'))
  })
  await as(await login('carillon_caller', [world.tenant, world.otherTenant]), async (client) => {
    await assert.rejects(client.query(notify, ['which']), withCode('22023'))
    await client.query(notify.replace('type =>', `tenant => '${world.otherTenant}', type =>`), ['named'])
    await client.query('begin')
    await client.query(`set local carillon.tenant_id = '${world.tenant}'`)
    await client.query(notify, ['narrowed'])
    await client.query('commit')
  })
  const rows = await world.rows<{ idempotency_key: string; tenant_id: string }>(
    `select idempotency_key, tenant_id from carillon.intents where idempotency_key in ('named', 'narrowed') order by 1`,
  )
  assert.deepEqual(rows, [
    { idempotency_key: 'named', tenant_id: world.otherTenant },
    { idempotency_key: 'narrowed', tenant_id: world.tenant },
  ])
})

test('a schedule is kept as the service keeps it, so a key of the one is a key of the other', async () => {
  const schedule = {
    delay: 90,
    localTime: '09:00',
    timezone: null,
    sendWindow: { startTime: '08:00', endTime: '20:00', days: [1, 5] },
  }
  const ask = (
    given: object,
  ) => `select carillon.notify(type => 'shop.order.shipped', recipient => '{"id": "ann"}', subject => 'Shipped',
    idempotency_key => 'scheduled', schedule => '${JSON.stringify(given)}')`
  await as(await login('carillon_caller', [world.tenant]), (client) => client.query(ask(schedule)))
  const judged = validateSend(
    { type: 'shop.order.shipped', recipient: { id: 'ann' }, subject: 'Shipped', idempotencyKey: 'scheduled', schedule },
    { tenantId: world.tenant },
    world.clock.now(),
    { path: [], single: true },
  )
  assert.ok(judged.ok)
  assert.equal((await world.accept([judged.intent]))[0]!.status, 'duplicate')
})

test('a send window may be whole days, which it names', async () => {
  const schedule = { sendWindow: { startTime: '00:00', endTime: '00:00', days: [1, 2, 3, 4, 5] } }
  const [row] = await world.rows<{ read: unknown }>('select carillon.read_schedule($1::jsonb) as read', [
    JSON.stringify(schedule),
  ])
  assert.deepEqual(row!.read, schedule)
  const sent = { type: 'a.b', recipient: { id: 'ann' }, subject: 'x', schedule }
  assert.ok(validateSend(sent, { tenantId: world.tenant }, world.clock.now(), { path: [], single: true }).ok)
})

const good = { type: `'a.b'`, recipient: `'{"email": "a@example.com"}'`, body: `'x'` }
const faults: [string, Record<string, string>, string][] = [
  ['an empty type', { type: `''` }, 'type'],
  ['a type with a space', { type: `'a b'` }, 'type'],
  ['no recipient', { recipient: 'null' }, 'recipient'],
  ['a recipient that is a list', { recipient: `'[]'` }, 'recipient'],
  ['a recipient with an unknown field', { recipient: `'{"emial": "a@example.com"}'` }, 'recipient'],
  ['a recipient with neither id nor address', { recipient: `'{"name": "Ann"}'` }, 'recipient'],
  [
    'a recipient whose e-mail breaks the line',
    { recipient: `E'{"email": "a@example.com\\\\nBcc: x@example.com"}'` },
    'recipient',
  ],
  ['a recipient with a number for an id', { recipient: `'{"id": 7}'` }, 'recipient'],
  [
    'a recipient with an id of 300 characters',
    { recipient: `jsonb_build_object('id', repeat('x', 300))` },
    'recipient',
  ],
  [
    'a recipient with an endless address',
    { recipient: `jsonb_build_object('slackId', repeat('x', 1500))` },
    'recipient',
  ],
  ['a recipient with an unknown time zone', { recipient: `'{"id": "a", "timezone": "Mars/Base"}'` }, 'recipient'],
  [
    'a recipient with a name of 3000 characters',
    { recipient: `jsonb_build_object('id', 'a', 'name', repeat('x', 3000))` },
    'recipient',
  ],
  ['a recipient with a list for a name', { recipient: `'{"id": "a", "name": ["x"]}'` }, 'recipient'],
  ['a recipient of an unknown kind', { recipient: `'{"id": "a", "type": "TEAM"}'` }, 'recipient'],
  ['a recipient with a webhook that is no URL', { recipient: `'{"webhookUrl": "ftp://x"}'` }, 'recipient'],
  ['a type of 201 characters', { type: `repeat('t', 201)` }, 'type'],
  ['a category of 201 characters', { category: `repeat('c', 201)` }, 'category'],
  ['an empty event id', { event_id: `''` }, 'event_id'],
  ['an empty correlation id', { correlation_id: `''` }, 'correlation_id'],
  ['a fallback in two dimensions', { fallback_channels: `array[array['email'], array['sms']]` }, 'fallback_channels'],
  ['a role without a name', { recipient: `'{"type": "ROLE"}'` }, 'recipient'],
  ['no content', { body: 'null' }, 'template'],
  ['a template and content', { template: `'t'` }, 'template'],
  ['a subject of two lines', { subject: `E'a\\nb'` }, 'subject'],
  ['data that is a list', { data: `'[]'` }, 'data'],
  ['metadata that is a string', { metadata: `'"x"'` }, 'metadata'],
  ['a body of two megabytes', { body: `repeat('x', 2000000)` }, 'data'],
  ['an unknown channel', { channels: `'{pigeon}'` }, 'channels'],
  ['no channel', { channels: `'{}'` }, 'channels'],
  ['an unknown fallback', { fallback_channels: `'{pigeon}'` }, 'fallback_channels'],
  ['an unknown priority', { priority: `'URGENT'` }, 'priority'],
  ['an empty key', { idempotency_key: `''` }, 'idempotency_key'],
  ['a key of 256 characters', { idempotency_key: `repeat('k', 256)` }, 'idempotency_key'],
  ['a schedule in two years', { scheduled_at: `now() + interval '2 years'` }, 'scheduled_at'],
  ['a schedule that is text', { schedule: `'"09:00"'` }, 'schedule'],
  ['a schedule that says nothing', { schedule: `'{}'` }, 'schedule'],
  ['a schedule with an unknown field', { schedule: `'{"localTime": "09:00", "cron": "x"}'` }, 'schedule'],
  ['a delay of part of a second', { schedule: `'{"delay": 1.5}'` }, 'schedule'],
  ['a delay that is text', { schedule: `'{"delay": "1"}'` }, 'schedule'],
  ['a delay of a thousand days', { schedule: `'{"delay": 86400000}'` }, 'schedule'],
  ['a local time of 24:00', { schedule: `'{"localTime": "24:00"}'` }, 'schedule'],
  ['a schedule in no zone', { schedule: `'{"localTime": "09:00", "timezone": "Mars/Base"}'` }, 'schedule'],
  ['a zone of no local time', { schedule: `'{"delay": 1, "timezone": "UTC"}'` }, 'schedule'],
  ['a window without an end', { schedule: `'{"sendWindow": {"startTime": "09:00"}}'` }, 'schedule'],
  [
    'a window on the eighth day of the week',
    { schedule: `'{"sendWindow": {"startTime": "09:00", "endTime": "17:00", "days": [1, 8]}}'` },
    'schedule',
  ],
  [
    'a window on a day that is text',
    { schedule: `'{"sendWindow": {"startTime": "09:00", "endTime": "17:00", "days": ["MO"]}}'` },
    'schedule',
  ],
  [
    'an expiry before the delay is over',
    { schedule: `'{"delay": 3600}'`, expires_at: `now() + interval '10 minutes'` },
    'expires_at',
  ],
  ['channels in two dimensions', { channels: `array[array['email'], array['sms']]` }, 'channels'],
  ['data nested a thousand deep', { data: `(repeat('{"a":', 1000) || '1' || repeat('}', 1000))::jsonb` }, 'data'],
  [
    'lists nested a thousand deep',
    { data: `('{"a":' || repeat('[', 1000) || repeat(']', 1000) || '}')::jsonb` },
    'data',
  ],
  ['a subject of three megabytes', { subject: `repeat('x', 3000000)` }, 'data'],
  ['a recipient whose id breaks the line', { recipient: `E'{"id": "a\\\\nb"}'` }, 'recipient'],
  ['a recipient with a locale that is none', { recipient: `'{"id": "a", "locale": "??"}'` }, 'recipient'],
  ['a schedule in the bronze age', { scheduled_at: `'1700-01-01 BC'` }, 'scheduled_at'],
  ['a schedule at infinity', { scheduled_at: `'infinity'` }, 'scheduled_at'],
  ['an expiry in the past', { expires_at: `now() - interval '1 s'` }, 'expires_at'],
  [
    'an expiry before the schedule',
    { scheduled_at: `now() + interval '2 h'`, expires_at: `now() + interval '1 h'` },
    'expires_at',
  ],
]
for (const [name, change, column] of faults) {
  test(`${name} is refused, and the error names ${column}`, async () => {
    const args = Object.entries({ ...good, ...change }).map(([key, value]) => `${key} => ${value}`)
    const before = await world.rows('select count(*)::int from carillon.intents')
    await as(await login('carillon_caller', [world.tenant]), (client) =>
      assert.rejects(
        client.query(`select carillon.notify(${args.join(', ')})`),
        (error: { code?: string; column?: string; message: string }) => {
          assert.deepEqual([error.code, error.column], ['22023', column])
          assert.match(error.message, new RegExp(`^carillon.notify: ${column} `))
          return true
        },
      ),
    )
    assert.deepEqual(await world.rows('select count(*)::int from carillon.intents'), before)
  })
}

test('a malformed traceparent is ignored, a good one is kept', async () => {
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  const ask = (key: string, trace: string) =>
    notify.replace('type =>', `traceparent => '${trace}', type =>`).replace('$1', `'${key}'`)
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    await client.query(ask('t1', traceparent))
    await client.query(ask('t2', '00-zz'))
    await client.query(ask('t3', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`))
  })
  const rows = await world.rows(
    `select traceparent from carillon.intents where idempotency_key in ('t1', 't2', 't3') order by idempotency_key`,
  )
  assert.deepEqual(
    rows.map((row) => row.traceparent),
    [traceparent, null, null],
  )
})

test('a batch in one statement is one transaction', async () => {
  await as(await login('carillon_caller', [world.tenant]), (client) =>
    client.query(`select carillon.notify(type => 'bulk', recipient => jsonb_build_object('id', 'u' || n), body => 'x',
      channels => '{in_app}', idempotency_key => 'bulk-' || n) from generate_series(1, 100) n`),
  )
  assert.equal((await world.rows(`select 1 from carillon.intents where type = 'bulk'`)).length, 100)
})

test('a caller’s own types in its temporary schema are not what the function means', async () => {
  await as(await login('carillon_caller', [world.tenant]), async (client) => {
    await client.query(`create function pg_temp.evil(value pg_catalog.text) returns boolean language plpgsql as $$
      begin raise exception 'ran as %', current_user; end $$`)
    await client.query('create domain pg_temp.text as pg_catalog.text check (pg_temp.evil(value))')
    await client.query(`create domain pg_temp.date as pg_catalog.date check (pg_temp.evil(value::pg_catalog.text))`)
    await client.query(notify, ['temporary'])
  })
  assert.equal(await intents('temporary'), 1)
})
