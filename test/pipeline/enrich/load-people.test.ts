import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RecipientRef } from '../../../src/domain/intent.ts'
import { recipientIdOf } from '../../../src/domain/recipient.ts'
import { loadPeople } from '../../../src/pipeline/enrich/load-people.ts'
import { openPool, type Queryable, statement } from '../../../src/platform/db.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const now = new Date('2026-03-01T12:00:00Z')
const user = (id: string, more: Partial<RecipientRef> = {}): RecipientRef => ({ type: 'user', id, ...more })
const load = (refs: RecipientRef[], categories: string[] = []) =>
  loadPeople(world.worker, world.tenant, refs, categories, now)
const one = async (ref: RecipientRef, categories?: string[]) => (await load([ref], categories))[0]!

const recipient = (id: string, set: Record<string, unknown> = {}) => {
  const row = { tenant_id: world.tenant, external_id: id, created_at: now, updated_at: now, ...set }
  const columns = Object.keys(row)
  return world.admin.query(
    `insert into carillon.recipients (${columns}) values (${columns.map((_name, index) => `$${index + 1}`)})`,
    Object.values(row),
  )
}
const point = (id: string, channel: string, address: string, position = 0, invalid = false) =>
  world.admin.query(
    `insert into carillon.contact_points (tenant_id, recipient_id, channel, address, position, invalid_at, invalid_reason, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, now())`,
    [world.tenant, id, channel, address, position, invalid ? now : null, invalid ? 'bounced' : null],
  )
const prefer = (id: string, document: unknown, version = 1, tenant = world.tenant) =>
  world.admin.query(
    `insert into carillon.preferences (tenant_id, recipient_id, version, document, updated_at, updated_by) values ($1, $2, $3, $4, $5, 'x')`,
    [tenant, id, version, JSON.stringify(document), now],
  )
const suppress = (channel: string, address: string, expiresAt: string | null = null, tenant = world.tenant) =>
  world.admin.query(
    `insert into carillon.suppressions (tenant_id, channel, address, reason, source, created_at, expires_at)
     values ($1, $2, carillon.address_key($2::carillon.channel, $3), 'hard_bounce', 'provider', '2026-01-01T00:00:00Z', $4)`,
    [tenant, channel, address, expiresAt],
  )
const consent = (id: string, category: string, granted: boolean, at: string) =>
  world.admin.query(
    `insert into carillon.consents (tenant_id, recipient_id, category, at, granted, source, wording_version) values ($1, $2, $3, $4, $5, 'shop', 'v2')`,
    [world.tenant, id, category, at, granted],
  )

describe('a person', () => {
  it('has what stands in the records, and the first usable address of each channel', async () => {
    await recipient('ann', {
      name: 'Ann',
      locale: 'de',
      timezone: 'Europe/Berlin',
      roles: ['ops'],
      groups: ['a', 'b'],
      attributes: { tier: 'gold', n: 1 },
    })
    await point('ann', 'email', 'late@x.y', 2)
    await point('ann', 'email', 'dead@x.y', 0, true)
    await point('ann', 'email', 'first@x.y', 1)
    await point('ann', 'push', 'token-b')
    await point('ann', 'push', 'token-a')
    assert.deepEqual(await one(user('ann')), {
      type: 'user',
      id: 'ann',
      known: true,
      name: 'Ann',
      locale: 'de',
      timezone: 'Europe/Berlin',
      addresses: { email: 'first@x.y', push: 'token-a' },
      enabled: true,
      roles: ['ops'],
      groups: ['a', 'b'],
      attributes: { tier: 'gold', n: 1 },
      preferences: undefined,
      consents: {},
      suppressions: {},
    })
  })

  it('of whom we have no record is enabled, and has what the request says', async () => {
    const ref = user('nobody', {
      email: 'a@b.c',
      phone: '+49 1',
      name: 'No Body',
      locale: 'fr',
      timezone: 'Asia/Tokyo',
    })
    const { name, locale, timezone, addresses, enabled, roles, known } = await one(ref)
    assert.deepEqual(
      { name, locale, timezone, addresses, enabled, roles, known },
      {
        name: 'No Body',
        locale: 'fr',
        timezone: 'Asia/Tokyo',
        addresses: { email: 'a@b.c', sms: '+49 1', voice: '+49 1' },
        enabled: true,
        roles: [],
        known: true,
      },
    )
  })

  it('that is switched off says so', async () => {
    await recipient('off', { enabled: false })
    assert.equal((await one(user('off'))).enabled, false)
  })

  it('is loaded as often as named, in the order of the request, in one statement', async () => {
    let statements = 0
    const counting: Queryable = {
      query: (config) => {
        statements++
        return world.worker.query(config)
      },
    }
    await recipient('bea', { name: 'Bea' })
    const refs = [
      user('bea'),
      user('unknown'),
      user('ann'),
      user('bea', { name: 'Beatrix' }),
      { type: 'role', id: 'bea' },
    ]
    const people = await loadPeople(counting, world.tenant, refs as RecipientRef[], ['marketing'], now)
    assert.deepEqual(
      people.map(({ id, name }) => `${id} ${name}`),
      ['bea Bea', 'unknown undefined', 'ann Ann', 'bea Beatrix', 'bea undefined'],
    )
    assert.equal(statements, 1)
  })

  it('of another tenant is not found', async () => {
    const [person] = await loadPeople(world.worker, world.otherTenant, [user('ann')], [], now)
    assert.deepEqual([person!.name, person!.addresses], [undefined, {}])
  })

  it('asks nothing of the database where there is nothing to ask', async () => {
    const never: Queryable = { query: () => assert.fail('asked') }
    const system: RecipientRef = { type: 'system', id: 'webhook-endpoint:1', webhookEndpointId: '1' }
    const [person] = await loadPeople(never, world.tenant, [system], [], now)
    assert.deepEqual([person!.addresses, person!.known], [{ webhook: 'webhook-endpoint:1' }, true])
    assert.deepEqual(await loadPeople(never, world.tenant, [], [], now), [])
  })

  it('takes hostile ids and addresses as text', async () => {
    for (const text of ['{a,b}', 'NULL', '', '"', '\\', `'; select 1 --`, 'a b', '__proto__']) {
      if (text !== '') await recipient(text, { name: `name of ${text}` })
      const person = await one({ type: 'user', id: text || undefined, email: text || 'x' })
      assert.equal(person.name, text === '' ? undefined : `name of ${text}`)
      assert.equal(person.addresses.email, text || 'x')
    }
  })
})

describe('preferences', () => {
  it('come with their version, and moments as moments', async () => {
    await prefer(
      'ann',
      { enabled: false, pausedUntil: '2026-04-01T00:00:00Z', categories: { news: { frequency: 'daily' } } },
      7,
    )
    const { preferences } = await one(user('ann'))
    assert.equal(preferences!.version, 7)
    assert.equal(preferences!.said.pausedUntil?.toISOString(), '2026-04-01T00:00:00.000Z')
    assert.deepEqual(preferences!.said.categories, { news: { frequency: 'daily' } })
  })

  it('are of people alone: a system recipient has none, and nobody those of another tenant', async () => {
    assert.equal((await one({ type: 'system', id: 'ann' })).preferences, undefined)
    await prefer('tom', { enabled: false }, 1, world.otherTenant)
    assert.equal((await one(user('tom'))).preferences, undefined)
    await prefer('', { enabled: false })
    assert.equal((await one(user('tom'))).preferences, undefined, 'defaults are not a person')
  })

  it('say where a channel goes, unless the request does', async () => {
    await recipient('pat')
    await point('pat', 'email', 'old@x.y')
    await prefer('pat', { channels: { email: { address: 'new@x.y' }, sms: { enabled: false } } })
    assert.deepEqual((await one(user('pat'))).addresses, { email: 'new@x.y' })
    assert.equal((await one(user('pat', { email: 'asked@x.y' }))).addresses.email, 'asked@x.y')
  })

  it('are found for who is known by an address alone', async () => {
    const ref: RecipientRef = { type: 'user', email: 'Only@x.y' }
    const id = recipientIdOf(world.tenant, ref)
    await prefer(id, { enabled: false, timezone: 'Asia/Tokyo' })
    await consent(id, 'marketing', true, '2026-01-01T00:00:00Z')
    const person = await one({ type: 'user', email: 'only@x.y' }, ['marketing'])
    assert.equal(person.preferences?.said.enabled, false)
    assert.equal(person.consents.marketing?.granted, true)
    assert.equal(person.timezone, 'Asia/Tokyo')
    assert.equal(person.known, false)
  })
})

describe('consents', () => {
  it('are the last word on each category that was asked for', async () => {
    await consent('ann', 'marketing', true, '2026-01-01T00:00:00Z')
    await consent('ann', 'marketing', false, '2026-02-01T00:00:00Z')
    await consent('ann', 'marketing.shoes', true, '2026-01-15T00:00:00Z')
    await consent('ann', 'news', true, '2026-01-15T00:00:00Z')
    const { consents } = await one(user('ann'), ['marketing', 'marketing.shoes', 'marketing.hats'])
    assert.deepEqual(JSON.parse(JSON.stringify(consents)), {
      marketing: { granted: false, at: '2026-02-01T00:00:00.000Z', source: 'shop', wordingVersion: 'v2' },
      'marketing.shoes': { granted: true, at: '2026-01-15T00:00:00.000Z', source: 'shop', wordingVersion: 'v2' },
    })
    assert.deepEqual((await one(user('ann'))).consents, {})
  })
})

describe('suppressions', () => {
  const suppressed = async (ref: RecipientRef) => Object.keys((await one(ref)).suppressions)

  it('are of the address that a channel would use: ours, the preferred one, or the one in the request', async () => {
    await recipient('sue')
    await point('sue', 'email', 'Sue@Own.example')
    await point('sue', 'email', 'second@x.y', 1)
    await suppress('email', 'sue@own.example')
    assert.deepEqual(await suppressed(user('sue')), ['email'])
    assert.deepEqual(await suppressed(user('sue', { email: 'other@x.y' })), [])
    await suppress('email', 'asked@x.y')
    assert.deepEqual(await suppressed(user('sue', { email: 'ASKED@x.y' })), ['email'])
    assert.deepEqual(await suppressed({ type: 'user', email: 'asked@x.y' }), ['email'])
    await prefer('sue', { channels: { email: { address: 'preferred@x.y' } } })
    assert.deepEqual(await suppressed(user('sue')), [])
    await suppress('email', 'preferred@x.y')
    assert.deepEqual(await suppressed(user('sue')), ['email'])
  })

  it('tell what they know', async () => {
    const { suppressions } = await one({ type: 'user', email: 'asked@x.y' })
    assert.deepEqual(suppressions.email, {
      reason: 'hard_bounce',
      source: 'provider',
      at: new Date('2026-01-01T00:00:00Z'),
      expiresAt: undefined,
    })
  })

  it('are of one channel: a phone that takes no messages may be called', async () => {
    await suppress('sms', '+49 (30) 1234')
    assert.deepEqual(await suppressed({ type: 'user', phone: '+49301234' }), ['sms'])
  })

  it('that have expired do not count, nor those of another tenant', async () => {
    await suppress('email', 'past@x.y', now.toISOString())
    await suppress('email', 'future@x.y', '2026-03-01T12:00:00.001Z')
    await suppress('email', 'foreign@x.y', null, world.otherTenant)
    assert.deepEqual(await suppressed({ type: 'user', email: 'past@x.y' }), [])
    assert.deepEqual(await suppressed({ type: 'user', email: 'future@x.y' }), ['email'])
    assert.deepEqual(await suppressed({ type: 'user', email: 'foreign@x.y' }), [])
  })
})

it('the statement walks primary keys alone, on a pool of the flow', async () => {
  await world.admin.query(
    `insert into carillon.recipients (tenant_id, external_id, created_at, updated_at)
     select $1, 'bulk-' || n, now(), now() from generate_series(1, 5000) n`,
    [world.tenant],
  )
  await world.admin.query(
    `insert into carillon.contact_points (tenant_id, recipient_id, channel, address, created_at)
     select tenant_id, external_id, 'email', external_id || '@x.y', now() from carillon.recipients where external_id like 'bulk-%'`,
  )
  await world.admin.query(
    `insert into carillon.preferences (tenant_id, recipient_id, version, document, updated_at, updated_by)
     select tenant_id, external_id, 1, '{}', now(), 'x' from carillon.recipients where external_id like 'bulk-%'`,
  )
  await world.admin.query(
    `insert into carillon.consents (tenant_id, recipient_id, category, at, granted, source)
     select tenant_id, external_id, 'news', now(), true, 'x' from carillon.recipients where external_id like 'bulk-%'`,
  )
  await world.admin.query(
    `insert into carillon.suppressions (tenant_id, channel, address, reason, source, created_at)
     select tenant_id, 'email', 'gone-' || external_id || '@x.y', 'manual', 'x', now() from carillon.recipients where external_id like 'bulk-%'`,
  )
  await world.admin.query('vacuum analyze')
  const pool = openPool({
    databaseUrl: world.url,
    role: 'carillon_worker',
    max: 1,
    flow: true,
    applicationName: 'test',
    onError: () => {},
  })
  const client = await pool.connect()
  const types = 'uuid, text[], text[], text[], timestamptz, carillon.channel[], text[]'
  await client.query(`prepare people (${types}) as ${statement('enrich/load_people').text}`)
  const { rows } = await client.query(
    `explain (analyze, format json) execute people ('${world.tenant}', '{bulk-1,bulk-99}', '{address:1}', '{news}', now(), '{email}', '{a@b.c}')`,
  )
  client.release()
  await pool.end()
  const indexes: string[] = []
  const walk = (node: Record<string, unknown>): void => {
    if (node['Node Type'] === 'Seq Scan' && Number(node['Actual Loops']) > 0)
      assert.fail(`reads all of ${node['Relation Name']}`)
    if (typeof node['Index Name'] === 'string') indexes.push(node['Index Name'].replace(/_h\d_pkey$/, ''))
    for (const child of (node.Plans as Record<string, unknown>[]) ?? []) walk(child)
  }
  walk(rows[0]['QUERY PLAN'][0].Plan)
  assert.deepEqual(indexes.sort(), ['consents', 'contact_points', 'preferences', 'recipients', 'suppressions'])
})
