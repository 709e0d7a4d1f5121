import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import pg from 'pg'
import { findRecipients } from '../../src/store/recipients.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const login = `login_${world.ids.id().replaceAll('-', '')}`
await world.admin.query(`create role ${login} login password 'x' in role carillon_caller`)
await world.admin.query('insert into carillon.role_bindings values ($1, $2, now())', [world.tenant, login])
const url = new URL(world.url)
url.username = login
url.password = 'x'
const caller = new pg.Client({ connectionString: url.href })
caller.on('error', () => {}) // the database goes before it does
await caller.connect()

const ask = async (call: string, values: unknown[] = []) =>
  (await caller.query(`select ${call} as answer`, values)).rows[0]!.answer
const find = async (id: string) => (await findRecipients(world.worker, world.tenant, [id]))[0]
const points = async (id: string) =>
  (await find(id))!.contact_points.map(({ channel, address }) => `${channel} ${address}`)

describe('carillon.upsert_recipient', () => {
  it('keeps a recipient beside a user, in the transaction of the application', async () => {
    await caller.query('begin')
    assert.equal(await ask(`carillon.upsert_recipient('rolled-back')`), true)
    await caller.query('rollback')
    assert.equal(await find('rolled-back'), undefined)
    const call = `carillon.upsert_recipient('ann', name => 'Ann', locale => 'de', timezone => 'Europe/Berlin', roles => '{b,a,a}',
      groups => '{g}', attributes => '{"tier": "gold", "none": null}',
      contact_points => '{"email": "ann@x.y", "sms": ["+1", "+2"]}')`
    assert.equal(await ask(call), true)
    assert.equal(await ask(call), false)
    const { name, locale, timezone, roles, groups, attributes, enabled } = (await find('ann'))!
    assert.deepEqual(
      { name, locale, timezone, roles, groups, attributes, enabled },
      {
        name: 'Ann',
        locale: 'de',
        timezone: 'Europe/Berlin',
        roles: ['a', 'b'],
        groups: ['g'],
        attributes: { tier: 'gold', none: null },
        enabled: true,
      },
    )
    assert.deepEqual(await points('ann'), ['email ann@x.y', 'sms +1', 'sms +2'])
  })

  it('leaves alone what is left out, and clears what is empty', async () => {
    await ask(`carillon.upsert_recipient('ann', enabled => false)`)
    const before = (await find('ann'))!
    assert.deepEqual(
      [before.name, before.roles, before.enabled, before.contact_points.length],
      ['Ann', ['a', 'b'], false, 3],
    )
    await ask(
      `carillon.upsert_recipient('ann', name => '', locale => '', timezone => '', roles => '{}', groups => '{}', attributes => '{}', contact_points => '{}')`,
    )
    const { name, locale, timezone, roles, groups, attributes, contact_points } = (await find('ann'))!
    assert.deepEqual(
      [name, locale, timezone, roles, groups, attributes, contact_points],
      [null, null, null, [], [], {}, []],
    )
  })

  it('takes contact points with their device and whether they are verified', async () => {
    await ask(`carillon.upsert_recipient('bo', contact_points => $1)`, [
      JSON.stringify([
        { channel: 'PUSH', address: 'token', device_id: 'phone' },
        { channel: 'email', address: 'bo@x.y', verified: true },
      ]),
    ])
    const found = (await find('bo'))!.contact_points
    assert.deepEqual(
      found.map(({ channel, device_id, verified_at }) => [channel, device_id, verified_at !== null]),
      [
        ['email', null, true],
        ['push', 'phone', false],
      ],
    )
  })

  const refused: [what: string, call: string, column: string][] = [
    ['no id', `null`, 'external_id'],
    ['an empty id', `''`, 'external_id'],
    ['an id of two lines', `E'a\\nb'`, 'external_id'],
    ['a name of two lines', `'x', name => E'a\\nb'`, 'name'],
    ['a locale that is none', `'x', locale => 'de DE'`, 'locale'],
    ['a zone that is none', `'x', timezone => 'Mars/Base'`, 'timezone'],
    ['an offset for a zone', `'x', timezone => '+03'`, 'timezone'],
    ['an empty role', `'x', roles => '{""}'`, 'roles'],
    ['a null in groups', `'x', groups => '{NULL}'`, 'groups'],
    ['attributes that are no object', `'x', attributes => '[]'`, 'attributes'],
    ['an unknown channel', `'x', contact_points => '{"pigeon": "a"}'`, 'contact_points'],
    ['a broken address', `'x', contact_points => '{"email": "nonsense"}'`, 'contact_points'],
    ['an address that is no text', `'x', contact_points => '{"email": 1}'`, 'contact_points'],
    [
      'a broken address behind a good one',
      `'x', contact_points => '{"email": ["a@b.c", "nonsense"]}'`,
      'contact_points',
    ],
    ['an unknown field', `'x', contact_points => '[{"channel": "sms", "address": "1", "extra": 1}]'`, 'contact_points'],
    ['points that are text', `'x', contact_points => '"a@b.c"'`, 'contact_points'],
    ['points that are no objects', `'x', contact_points => '["a@b.c"]'`, 'contact_points'],
    [
      'a device that is no text',
      `'x', contact_points => '[{"channel": "push", "address": "1", "device_id": 1}]'`,
      'contact_points',
    ],
    [
      'too many points',
      `'x', contact_points => jsonb_build_object('sms', (select jsonb_agg(n::text) from generate_series(1, 51) n))`,
      'contact_points',
    ],
  ]
  for (const [what, call, column] of refused) {
    it(`refuses ${what}, and names the argument`, async () => {
      await assert.rejects(ask(`carillon.upsert_recipient(${call})`), { code: '22023', column })
    })
  }

  it('is for the tenant of the login alone', async () => {
    await assert.rejects(ask(`carillon.upsert_recipient('x', tenant => '${world.otherTenant}')`), { code: '42501' })
    await assert.rejects(caller.query('select * from carillon.write_recipients($1, $2, now())', [world.tenant, '[]']), {
      code: '42501',
    })
    await assert.rejects(ask(`carillon.delete_recipient('ann', tenant => '${world.otherTenant}')`), { code: '42501' })
    await assert.rejects(
      ask(`carillon.verify_contact_point('ann', 'email', 'a@b.c', tenant => '${world.otherTenant}')`),
      { code: '42501' },
    )
  })
})

describe('one contact point', () => {
  const state = async (id: string) =>
    (await find(id))!.contact_points.map(({ address, position, device_id, verified_at, invalid_reason }) => [
      address,
      position,
      device_id,
      verified_at !== null,
      invalid_reason,
    ])

  it('is added behind the others or before them, and a device has one token', async () => {
    await ask(`carillon.upsert_recipient('cy')`)
    assert.equal(await ask(`carillon.add_contact_point('cy', 'push', 't1', device_id => 'phone')`), true)
    assert.equal(await ask(`carillon.add_contact_point('cy', 'push', 't2', device_id => 'tablet')`), true)
    assert.equal(await ask(`carillon.add_contact_point('cy', 'PUSH', 't3', device_id => 'phone')`), true)
    assert.equal(await ask(`carillon.add_contact_point('cy', 'push', 't2', first => true)`), true)
    assert.deepEqual(await state('cy'), [
      ['t2', 0, 'tablet', false, null],
      ['t3', 3, 'phone', false, null],
    ])
  })

  it('is not used after it is invalid, until it is verified or added again', async () => {
    await ask(`carillon.upsert_recipient('dee', contact_points => '{"email": "d@x.y"}')`)
    const place = `'dee', 'email', 'd@x.y'`
    assert.equal(await ask(`carillon.invalidate_contact_point(${place}, reason => 'bounced')`), true)
    assert.deepEqual(await state('dee'), [['d@x.y', 0, null, false, 'bounced']])
    assert.equal(await ask(`carillon.verify_contact_point(${place})`), true)
    assert.deepEqual(await state('dee'), [['d@x.y', 0, null, true, null]])
    await ask(`carillon.invalidate_contact_point(${place}, reason => 'bounced')`)
    assert.equal(await ask(`carillon.add_contact_point(${place})`), true)
    assert.deepEqual(await state('dee'), [['d@x.y', 0, null, true, null]])
    assert.equal(await ask(`carillon.remove_contact_point(${place})`), true)
    assert.equal(await ask(`carillon.remove_contact_point(${place})`), false)
  })

  it('of nobody is none', async () => {
    assert.equal(await ask(`carillon.add_contact_point('nobody', 'email', 'a@b.c')`), false)
    assert.equal(await ask(`carillon.verify_contact_point('dee', 'email', 'other@x.y')`), false)
    assert.equal(await ask(`carillon.delete_recipient('nobody')`), false)
    assert.equal(await ask(`carillon.delete_recipient('dee')`), true)
  })

  const refused: [call: string, column: string][] = [
    [`add_contact_point('cy', 'pigeon', 'a')`, 'contact_points'],
    [`add_contact_point('cy', 'email', 'nonsense')`, 'contact_points'],
    [`add_contact_point('', 'email', 'a@b.c')`, 'recipient'],
    [`verify_contact_point('cy', 'pigeon', 'a')`, 'channel'],
    [`invalidate_contact_point('cy', 'email', 'a@b.c', '')`, 'reason'],
    [`invalidate_contact_point('cy', 'email', 'a@b.c', null)`, 'reason'],
    [`remove_contact_point('cy', null, 'a')`, 'channel'],
  ]
  for (const [call, column] of refused) {
    it(`${call} is refused`, async () => {
      await assert.rejects(ask(`carillon.${call}`), { code: '22023', column })
    })
  }

  it('is one too many behind fifty', async () => {
    await ask(
      `carillon.upsert_recipient('many', contact_points => jsonb_build_object('sms', (select jsonb_agg(n::text) from generate_series(1, 50) n)))`,
    )
    await assert.rejects(ask(`carillon.add_contact_point('many', 'sms', 'x')`), { code: '22023', column: 'recipient' })
  })
})
