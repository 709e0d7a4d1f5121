import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import pg from 'pg'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
let caller: pg.Client

before(async () => {
  world = await createWorld()
  caller = await login([world.tenant])
})

async function login(tenants: string[]): Promise<pg.Client> {
  const name = `login_${world.ids.id().replaceAll('-', '')}`
  await world.admin.query(`create role ${name} login password 'x' in role carillon_caller`)
  for (const tenant of tenants) {
    await world.admin.query('insert into carillon.role_bindings values ($1, $2, now())', [tenant, name])
  }
  const url = new URL(world.url)
  url.username = name
  url.password = 'x'
  const client = new pg.Client({ connectionString: url.href })
  client.on('error', () => {})
  await client.connect()
  return client
}

const set = async (recipient: string, preferences: unknown): Promise<number> => {
  const text = 'select carillon.set_preferences($1, $2) as version'
  return (await caller.query<{ version: number }>(text, [recipient, JSON.stringify(preferences)])).rows[0]!.version
}
const said = async (recipient: string) => {
  const text = 'select document from carillon.preferences where tenant_id = $1 and recipient_id = $2'
  return (await world.rows<{ document: unknown }>(text, [world.tenant, recipient]))[0]?.document
}
const deliveries = async (recipient: string) =>
  world.rows<{ channel: string; state: string; reason: string | null }>(
    `select d.channel::text as channel, d.state::text as state, d.reason from carillon.deliveries d
     join carillon.notifications n on n.tenant_id = d.tenant_id and n.id = carillon.notification_id_of(d.id)
     where n.tenant_id = $1 and n.recipient_id = $2 and d.channel <> 'audit' order by d.id`,
    [world.tenant, recipient],
  )
const plan = async (id: string, fields: { category?: string; type?: string } = {}, payload: object = {}) =>
  (
    await world.plan([
      world.intent({ recipients: [{ type: 'user', id, email: `${id}@example.com` }], ...payload }, fields),
    ])
  )[0]!

describe('preferences', () => {
  test('are merged, written as they are stored, and told by a version', async () => {
    assert.equal(await set('ann', { channels: { EMAIL: { enabled: false, address: 'ann@example.org' } } }), 1)
    assert.equal(await set('ann', { categories: { news: { minPriority: 'high', channels: ['EMAIL', 'push'] } } }), 2)
    assert.equal(await set('ann', { channels: { email: { enabled: null } }, pausedUntil: '2026-12-24T01:00+01:00' }), 3)
    assert.deepEqual(await said('ann'), {
      channels: { email: { address: 'ann@example.org' } },
      categories: { news: { minPriority: 2, channels: ['email', 'push'] } },
      pausedUntil: '2026-12-24T00:00:00.000Z',
    })
  })

  test('quiet hours are told as a whole', async () => {
    const hours = { enabled: true, startTime: '22:00', endTime: '07:00' }
    await set('bea', { quietHours: { ...hours, timezone: 'Europe/Berlin', days: [0, 1] } })
    await set('bea', { quietHours: hours })
    assert.deepEqual(await said('bea'), { quietHours: { ...hours, allowCritical: true } })
  })

  test('a patch that changes nothing is no version', async () => {
    assert.equal(await set('cid', { enabled: false }), 1)
    assert.equal(await set('cid', { enabled: false }), 1)
    assert.equal(await set('cid', {}), 1)
  })

  test('every version is kept, with when it held and who changed it', async () => {
    await set('dan', { enabled: false })
    await set('dan', { enabled: true })
    await caller.query(`select carillon.set_preferences('dan', '{"enabled": null}', changed_by => 'support')`)
    const history = await world.rows<{
      version: number
      document: unknown
      follows: boolean
      open: boolean
      by: string
    }>(
      `select version, document, valid_to is null as open, changed_by as by,
         coalesce(valid_from = lag(valid_to) over (order by version), true) as follows
       from carillon.preference_versions where tenant_id = $1 and recipient_id = 'dan' order by version`,
      [world.tenant],
    )
    assert.deepEqual(
      history.map(({ version, document, follows, open }) => ({ version, document, follows, open })),
      [
        { version: 1, document: { enabled: false }, follows: true, open: false },
        { version: 2, document: { enabled: true }, follows: true, open: false },
        { version: 3, document: {}, follows: true, open: true },
      ],
    )
    assert.match(history[0]!.by, /^sql:login_/)
    assert.equal(history[2]!.by, 'support')
  })

  test('eight at once on one recipient lose no version', async () => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => login([world.tenant])))
    await Promise.all(
      clients.map((client, index) =>
        client.query(`select carillon.set_preferences('eve', $1)`, [
          JSON.stringify({ eventTypes: { [`type.${index}`]: { enabled: false } } }),
        ]),
      ),
    )
    await Promise.all(clients.map((client) => client.end()))
    assert.equal(Object.keys(((await said('eve')) as { eventTypes: object }).eventTypes).length, 8)
    const [row] = await world.rows(
      `select count(*)::int as versions, count(*) filter (where valid_to is null)::int as open
       from carillon.preference_versions where tenant_id = $1 and recipient_id = 'eve'`,
      [world.tenant],
    )
    assert.deepEqual(row, { versions: 8, open: 1 })
  })

  test('event types are told exactly, or by how they begin', async () => {
    const types = ['survey', 'shop.order.shipped', 'shop.order.*', '*', 'a:b/c-d.e_f', '1.2']
    await set('flo', { eventTypes: Object.fromEntries(types.map((type) => [type, { enabled: true }])) })
    assert.deepEqual(Object.keys(((await said('flo')) as { eventTypes: object }).eventTypes).sort(), types.sort())
    for (const type of ['', 'a*', 'a.*.b', '*.a', 'a b', '.a', `${'x'.repeat(201)}`]) {
      await assert.rejects(set('flo', { eventTypes: { [type]: {} } }), { code: '22023' }, type)
    }
  })

  test('a zone and a locale are the recipient’s own', async () => {
    await set('fay', { timezone: 'Asia/Tokyo', locale: 'ja' })
    await set('fay', { locale: null })
    const [row] = await world.rows(
      `select timezone, locale from carillon.recipients where tenant_id = $1 and external_id = 'fay'`,
      [world.tenant],
    )
    assert.deepEqual(row, { timezone: 'Asia/Tokyo', locale: null })
  })

  test('a change of the defaults is a change of the tenant’s settings, and a change of a person’s is not', async () => {
    const version = async () =>
      Number(
        (await world.rows('select version from carillon.settings_versions where tenant_id = $1', [world.tenant]))[0]
          ?.version ?? 0,
      )
    const before = await version()
    await set('gil', { enabled: true })
    assert.equal(await version(), before)
    await set('', { categories: { digest: { enabled: true } } })
    assert.equal(await version(), before + 1)
    await set('', { categories: null })
  })

  test('quiet hours may be whole days, which they name', async () => {
    const weekend = { enabled: true, startTime: '00:00', endTime: '00:00', days: [6, 7] }
    await set('wim', { quietHours: weekend })
    assert.deepEqual(await said('wim'), { quietHours: { ...weekend, allowCritical: true } })
  })

  test('a login of another tenant writes there, and cannot name this one', async () => {
    const stranger = await login([world.otherTenant])
    await stranger.query(`select carillon.set_preferences('hal', '{"enabled": false}')`)
    assert.equal(await said('hal'), undefined)
    const asking = stranger.query(`select carillon.set_preferences('hal', '{}', tenant => $1)`, [world.tenant])
    await assert.rejects(asking, { code: '42501' })
    await stranger.end()
  })

  const refused: [string, unknown, string, RegExp][] = [
    ['a list', [], 'preferences', /must be an object/],
    ['an unknown field', { colour: 'red' }, 'colour', /is not known; there are /],
    ['a flag that is a word', { enabled: 'no' }, 'enabled', /true or false/],
    ['an unknown channel', { channels: { fax: {} } }, 'channels.fax', /is not a channel/],
    ['a channel that is a flag', { channels: { email: false } }, 'channels.email', /must be an object/],
    ['a bad e-mail address', { channels: { email: { address: 'ann' } } }, 'channels.email.address', /is not an e-mail/],
    ['a bad webhook', { channels: { webhook: { address: 'ftp://x' } } }, 'channels.webhook.address', /http/],
    [
      'an unknown frequency',
      { categories: { a: { frequency: 'yearly' } } },
      'categories.a.frequency',
      /instant, digest/,
    ],
    ['a priority out of range', { categories: { a: { minPriority: 4 } } }, 'categories.a.minPriority', /LOW, NORMAL/],
    [
      'channels that are a word',
      { categories: { a: { channels: 'email' } } },
      'categories.a.channels',
      /list of email/,
    ],
    ['channels with a number', { categories: { a: { channels: [1] } } }, 'categories.a.channels', /list of email/],
    ['a category without a name', { categories: { '': {} } }, 'categories.', /1 to 200 characters/],
    ['a bad event type', { eventTypes: { 'a b': {} } }, 'eventTypes.a b', /event type/],
    [
      'quiet hours without an end',
      { quietHours: { enabled: true, startTime: '22:00' } },
      'quietHours.endTime',
      /is missing/,
    ],
    [
      'quiet hours at 24:00',
      { quietHours: { enabled: true, startTime: '24:00', endTime: '07:00' } },
      'quietHours.startTime',
      /HH:MM/,
    ],
    [
      'quiet hours of no length',
      { quietHours: { enabled: true, startTime: '07:00', endTime: '07:00' } },
      'quietHours.endTime',
      /differ/,
    ],
    [
      'a day that is none',
      { quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', days: [8] } },
      'quietHours.days',
      /Monday/,
    ],
    [
      'no day at all',
      { quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', days: [] } },
      'quietHours.days',
      /Monday/,
    ],
    ['an unknown zone', { timezone: 'Mars/Olympus' }, 'timezone', /IANA/],
    ['a bad locale', { locale: 'not a locale' }, 'locale', /BCP 47/],
    ['a moment without an offset', { pausedUntil: '2026-12-24T00:00:00' }, 'pausedUntil', /ISO 8601/],
    ['the 30th of February', { pausedUntil: '2026-02-30T00:00:00Z' }, 'pausedUntil', /ISO 8601/],
    [
      'more than 64 KiB',
      {
        eventTypes: Object.fromEntries(
          Array.from({ length: 500 }, (_, i) => [`a${'x'.repeat(150)}${i}`, { enabled: true }]),
        ),
      },
      'preferences',
      /64 KiB/,
    ],
  ]
  for (const [name, preferences, column, message] of refused) {
    test(`${name} is refused, with the place of it`, async () => {
      await assert.rejects(set('ida', preferences), { code: '22023', column, message })
      assert.equal(await said('ida'), undefined)
    })
  }
})

describe('what was planned and has not been sent', () => {
  test('is not sent once its category is refused, and the log tells why', async () => {
    const intentId = await plan('jan', { category: 'news' })
    await plan('jan', { category: 'other' })
    await set('jan', { categories: { news: { enabled: false } } })
    assert.deepEqual(await deliveries('jan'), [
      { channel: 'email', state: 'suppressed', reason: 'category_opted_out' },
      { channel: 'email', state: 'queued', reason: null },
    ])
    const told = await world.rows(
      `select type, data ->> 'reason' as reason, data ->> 'recipient_id' as recipient from carillon.events_of($1)
       where type like '%suppressed'`,
      [intentId],
    )
    assert.deepEqual(told, [{ type: 'notification.email.suppressed', reason: 'category_opted_out', recipient: 'jan' }])
  })

  test('is not sent once everything is refused, but for what is required', async () => {
    await world.admin.query(
      `insert into carillon.categories (tenant_id, name, required, marketing, enabled, frequency, on_excess, created_at, updated_at)
       values ($1, 'security', true, false, true, 'instant', 'snooze', now(), now())`,
      [world.tenant],
    )
    await plan('kim', { category: 'security' })
    await plan('kim')
    await set('kim', { enabled: false, categories: { security: { enabled: false } } })
    const states = (await deliveries('kim')).map(({ state, reason }) => [state, reason])
    assert.deepEqual(states, [
      ['queued', null],
      ['suppressed', 'opted_out'],
    ])
    await caller.query(`select carillon.withdraw_consent('kim', 'security')`)
    assert.equal((await deliveries('kim'))[0]!.state, 'queued', 'what is required asks for no consent')
    await caller.query(`select carillon.upsert_recipient('kim', enabled => true)`)
    await caller.query(`select carillon.upsert_recipient('kim', enabled => false)`)
    assert.equal((await deliveries('kim'))[0]!.reason, 'recipient_disabled', 'who is switched off gets nothing')
  })

  const changes: [string, object, string][] = [
    ['a pause', { pausedUntil: '2099-01-01T00:00:00Z' }, 'paused'],
    ['a channel', { channels: { EMAIL: { enabled: false } } }, 'channel_opted_out'],
    ['an event type', { eventTypes: { 'test.happened': { enabled: false } } }, 'event_type_opted_out'],
  ]
  for (const [name, patch, reason] of changes) {
    test(`is not sent after ${name} was refused, also while it waits for another attempt`, async () => {
      const id = `lea-${reason}`
      await plan(id)
      await plan(id)
      await world.admin.query(
        `update carillon.deliveries d set state = 'retrying', attempt = 1, next_attempt_at = now() + interval '1 h'
         where d.tenant_id = $1 and d.id = (select max(x.id::text)::uuid from carillon.deliveries x where x.tenant_id = $1 and x.address = $2)`,
        [world.tenant, `${id}@example.com`],
      )
      await set(id, patch)
      assert.deepEqual(
        (await deliveries(id)).map((delivery) => delivery.reason),
        [reason, reason],
      )
    })
  }

  test('on a channel that had a fallback has the gates asked of the fallback, whose turn has come', async () => {
    const payload = { channels: ['email'], fallbackChannels: ['sms', 'push'] }
    const intentId = await plan(
      'liv',
      {},
      {
        ...payload,
        recipients: [{ type: 'user', id: 'liv', email: 'liv@example.com', phone: '+491' }],
      },
    )
    await world.admin.query(`delete from pgboss.job`)
    await set('liv', { channels: { email: { enabled: false } } })
    const states = (await deliveries('liv')).map(({ channel, state, reason }) => [channel, state, reason])
    assert.deepEqual(states.slice(0, 2), [
      ['email', 'suppressed', 'channel_opted_out'],
      ['sms', 'snoozed', null],
    ])
    await decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 })
    assert.equal((await deliveries('liv'))[1]!.state, 'queued')
    const told = await world.rows(
      `select type, data ->> 'fallback' as fallback from carillon.events_of($1) where data ->> 'channel' in ('email', 'sms') order by xid, id offset 1`,
      [intentId],
    )
    assert.deepEqual(told, [{ type: 'notification.email.suppressed', fallback: null }])
    assert.equal(await decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 }), 1)
    assert.deepEqual(
      (await deliveries('liv')).map(({ state }) => state),
      ['suppressed', 'queued'],
    )
    const [asked] = await world.rows(
      `select type, data ->> 'fallback' as fallback from carillon.events_of($1) where data ->> 'channel' = 'sms' order by xid desc, id desc limit 1`,
      [intentId],
    )
    assert.deepEqual(asked, { type: 'notification.sms.requested', fallback: 'true' })
    const jobs = await world.rows<{ name: string; ids: number }>(
      `select name, json_array_length(data::json -> 'ids') as ids from pgboss.job`,
    )
    assert.deepEqual(jobs, [{ name: 'deliver-sms-bulk', ids: 1 }])
    await set('liv', { channels: { sms: { enabled: false } } })
    assert.equal((await deliveries('liv'))[1]!.state, 'suppressed')
  })

  test('is stopped and told of once, also by several at once', async () => {
    const intents = await Promise.all([1, 2, 3].map(() => plan('lou', { category: 'news' })))
    const clients = await Promise.all([1, 2, 3, 4].map(() => login([world.tenant])))
    await Promise.all(
      clients.map((client, index) =>
        index % 2
          ? client.query(`select carillon.withdraw_consent('lou', 'news')`)
          : client.query(`select carillon.set_preferences('lou', '{"categories": {"news": {"enabled": false}}}')`),
      ),
    )
    await Promise.all(clients.map((client) => client.end()))
    for (const id of intents) {
      const told = await world.rows(`select 1 from carillon.events_of($1) where type like '%suppressed'`, [id])
      assert.equal(told.length, 1)
    }
  })

  test('that is at a provider, or of another recipient or tenant, is left alone', async () => {
    await plan('max')
    await plan('mia')
    await world.admin.query(
      `update carillon.deliveries set state = 'sending', attempt = 1 where address = 'max@example.com'`,
    )
    await set('max', { enabled: false })
    assert.deepEqual(
      [...(await deliveries('max')), ...(await deliveries('mia'))].map(({ state }) => state),
      ['sending', 'queued'],
    )
  })

  test('that waits is decided again at once', async () => {
    const snooze = (recipient: string) =>
      world.admin.query(
        `insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
         values ($1, $2, $3, 'email', 1, 'quiet_hours', now() + interval '8 h', now())`,
        [world.tenant, world.ids.id(), recipient],
      )
    await snooze('nia')
    await snooze('noa')
    await set('nia', { quietHours: null })
    const due = async () =>
      (
        await world.rows<{ recipient_id: string }>(
          `select recipient_id from carillon.snoozes where tenant_id = $1 and until <= now() order by 1`,
          [world.tenant],
        )
      ).map((row) => row.recipient_id)
    assert.deepEqual(await due(), ['nia'])
    await set('', { minPriority: 'LOW' })
    assert.deepEqual(await due(), ['nia', 'noa'], 'a change of the defaults concerns everybody')
  })
})

describe('consents', () => {
  const last = async (recipient: string) =>
    (
      await world.rows<{ granted: boolean; source: string }>(
        `select granted, source from carillon.consents where tenant_id = $1 and recipient_id = $2 and category = 'marketing'
         order by at desc limit 1`,
        [world.tenant, recipient],
      )
    )[0]

  test('the last word holds, whichever clock wrote the one before', async () => {
    await caller.query(
      `select carillon.record_consent('oda', 'marketing', 'signup form', wording_version => '3', proof => '{"ip": "192.0.2.1"}')`,
    )
    assert.deepEqual(await last('oda'), { granted: true, source: 'signup form' })
    // An API whose clock is an hour ahead.
    await world.admin.query(`update carillon.consents set at = at + interval '1 h' where recipient_id = 'oda'`)
    await caller.query(`select carillon.withdraw_consent('oda', 'marketing', source => 'call')`)
    assert.deepEqual(await last('oda'), { granted: false, source: 'call' })
  })

  test('an older opt-in that is told late overrides nothing', async () => {
    await caller.query(`select carillon.withdraw_consent('pam', 'marketing')`)
    await caller.query(`select carillon.record_consent('pam', 'marketing', 'import', at => '2024-01-01T00:00:00Z')`)
    assert.deepEqual(await last('pam'), { granted: false, source: 'sql' })
  })

  test('two words of one moment are both kept', async () => {
    for (const source of ['first', 'second']) {
      await caller.query(`select carillon.record_consent('pia', 'marketing', $1, at => '2024-01-01T00:00:00Z')`, [
        source,
      ])
    }
    assert.equal((await last('pia'))?.source, 'second')
  })

  test('a withdrawal stops what was planned of the category', async () => {
    await plan('quy', { category: 'promotions' })
    await caller.query(`select carillon.withdraw_consent('quy', 'promotions')`)
    assert.deepEqual(await deliveries('quy'), [{ channel: 'email', state: 'suppressed', reason: 'no_consent' }])
  })

  test('the service cannot change or delete a word', async () => {
    const client = await world.api.connect()
    try {
      await client.query(`select set_config('carillon.tenant_id', $1, false)`, [world.tenant])
      await assert.rejects(client.query('update carillon.consents set granted = true'), { code: '42501' })
      await assert.rejects(client.query('delete from carillon.consents'), { code: '42501' })
    } finally {
      client.release(true)
    }
  })

  const refused: [string, string, string][] = [
    ['no recipient', `carillon.record_consent('', 'a', 'b')`, 'recipient'],
    ['no category', `carillon.record_consent('a', '', 'b')`, 'category'],
    ['no source', `carillon.record_consent('a', 'b', '')`, 'source'],
    ['the future', `carillon.record_consent('a', 'b', 'c', at => now() + interval '1 h')`, 'at'],
    ['a large proof', `carillon.record_consent('a', 'b', 'c', proof => to_jsonb(repeat('x', 20000)))`, 'proof'],
  ]
  for (const [name, call, column] of refused) {
    test(`${name} is refused, with the argument`, async () => {
      await assert.rejects(caller.query(`select ${call}`), { code: '22023', column })
    })
  }
})

describe('suppressions', () => {
  const all = () =>
    world.rows(
      `select channel::text as channel, address, reason, source from carillon.suppressions where tenant_id = $1 order by 1, 2`,
      [world.tenant],
    )

  test('an address is known however it is written, and replaced when it is told again', async () => {
    await caller.query(`select carillon.suppress('EMAIL', 'Ann@Example.com')`)
    await caller.query(`select carillon.suppress('email', 'ann@example.com', reason => 'complaint', source => 'desk')`)
    await caller.query(`select carillon.suppress('sms', '+49 (151) 123-45')`)
    assert.deepEqual(await all(), [
      { channel: 'email', address: 'ann@example.com', reason: 'complaint', source: 'desk' },
      { channel: 'sms', address: '+4915112345', reason: 'manual', source: 'sql' },
    ])
    const remove = async (address: string) =>
      (await caller.query<{ gone: boolean }>(`select carillon.unsuppress('email', $1) as gone`, [address])).rows[0]!
        .gone
    assert.equal(await remove('ANN@example.com'), true)
    assert.equal(await remove('ann@example.com'), false)
  })

  const refused: [string, string, string][] = [
    ['an unknown channel', `carillon.suppress('fax', 'a')`, 'channel'],
    ['no address', `carillon.suppress('email', '')`, 'address'],
    ['a phone without a number', `carillon.suppress('sms', 'none')`, 'address'],
    ['an unknown reason', `carillon.suppress('email', 'a@b.c', reason => 'dislike')`, 'reason'],
    ['an end in the past', `carillon.suppress('email', 'a@b.c', expires_at => now() - interval '1 h')`, 'expires_at'],
  ]
  for (const [name, call, column] of refused) {
    test(`${name} is refused, with the argument`, async () => {
      await assert.rejects(caller.query(`select ${call}`), { code: '22023', column })
    })
  }
})
