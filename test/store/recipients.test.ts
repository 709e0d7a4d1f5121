import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { systemClock } from '../../src/platform/clock.ts'
import { asTenants } from '../../src/platform/db.ts'
import { deleteRecipients, findRecipients, pageRecipients, upsertRecipients } from '../../src/store/recipients.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld } from '../support/world.ts'

const clock = testClock(systemClock.now()) // partitions are there for today
const world = await createWorld(clock)
type Profiles = Parameters<typeof upsertRecipients>[2]
const write = (profiles: Profiles) =>
  asTenants(world.api, [world.tenant], (trx) => upsertRecipients(trx, world.tenant, profiles, clock.now()))
const remove = (...ids: string[]) =>
  asTenants(world.api, [world.tenant], (trx) => deleteRecipients(trx, world.tenant, ids, 'a test', clock.now()))
const find = async (id: string) => (await findRecipients(world.worker, world.tenant, [id]))[0]!
const points = async (id: string) =>
  (await find(id)).contact_points.map(
    ({ channel, address, device_id }) => `${channel} ${address}${device_id === null ? '' : ` on ${device_id}`}`,
  )

describe('writing recipients', () => {
  it('leaves alone what is not told, and tells who is new and who changed', async () => {
    const ann = {
      externalId: 'ann',
      name: 'Ann',
      locale: 'de',
      timezone: 'Europe/Berlin',
      attributes: { a: 1 },
      roles: ['x'],
    }
    assert.deepEqual(await write([ann, { externalId: 'bo' }]), { added: ['ann', 'bo'], changed: [] })
    clock.advance(1_000)
    assert.deepEqual(await write([ann, { externalId: 'bo', name: 'Bo' }]), { added: [], changed: ['bo'] })
    assert.equal((await find('ann')).updated_at.getTime(), clock.now().getTime() - 1_000, 'nothing is written')
    await write([{ externalId: 'ann', name: null, groups: ['g'], enabled: false }])
    const { name, locale, timezone, attributes, roles, groups, enabled } = await find('ann')
    assert.deepEqual(
      { name, locale, timezone, attributes, roles, groups, enabled },
      {
        name: null,
        locale: 'de',
        timezone: 'Europe/Berlin',
        attributes: { a: 1 },
        roles: ['x'],
        groups: ['g'],
        enabled: false,
      },
    )
  })

  it('takes a constant number of statements for a thousand, and has no trouble with another who writes the same', async () => {
    const profiles = Array.from({ length: 1_000 }, (_one, n) => ({
      externalId: `r${n}`,
      name: 'x',
      contactPoints: [{ channel: 'email' as const, address: `r${n}@x.y` }],
    }))
    for (const name of ['x', 'y', 'z']) {
      const told = profiles.map((profile) => ({ ...profile, name }))
      const all = await Promise.all([write(told), write([...told].reverse()), write(told.slice(300, 700))])
      const written = all.flatMap(({ added, changed }) => [...added, ...changed])
      assert.equal(written.length, 1_000, 'each is written by one of them')
    }
  })
})

describe('contact points', () => {
  it('are all that is told, in that order', async () => {
    const [a, b] = [
      { channel: 'email', address: 'a@x.y' },
      { channel: 'email', address: 'b@x.y' },
    ] as const
    await write([{ externalId: 'cy', contactPoints: [a, b, a, { channel: 'sms', address: '+1' }] }])
    assert.deepEqual(await points('cy'), ['email a@x.y', 'email b@x.y', 'sms +1'])
    const before = (await find('cy')).updated_at
    clock.advance(1_000)
    await write([{ externalId: 'cy', contactPoints: [b, a] }])
    assert.deepEqual(await points('cy'), ['email b@x.y', 'email a@x.y'])
    assert.ok((await find('cy')).updated_at > before)
    assert.deepEqual((await write([{ externalId: 'cy', contactPoints: [b, a] }])).changed, [])
    await write([{ externalId: 'cy', name: 'Cy' }])
    assert.equal((await points('cy')).length, 2)
    await write([{ externalId: 'cy', contactPoints: [] }])
    assert.deepEqual(await points('cy'), [])
  })

  it('that speak of some channels leave those of others alone', async () => {
    const sms = { channel: 'sms', address: '+1' } as const
    await write([{ externalId: 'di', contactPoints: [sms, { channel: 'email', address: 'a@x.y' }] }])
    await write([
      {
        externalId: 'di',
        contactPoints: [{ channel: 'email', address: 'b@x.y' }],
        contactChannels: ['email', 'slack'],
      },
    ])
    assert.deepEqual(await points('di'), ['email b@x.y', 'sms +1'])
    await write([{ externalId: 'di', contactPoints: [], contactChannels: ['sms'] }])
    assert.deepEqual(await points('di'), ['email b@x.y'])
  })

  const push = (address: string, deviceId?: string) => ({ channel: 'push' as const, address, deviceId })
  const devices: [name: string, before: ReturnType<typeof push>[], told: ReturnType<typeof push>[], after: string[]][] =
    [
      ['a new token takes the place of the old', [push('old', 'd1')], [push('new', 'd1')], ['push new on d1']],
      [
        'tokens of other devices stay',
        [push('a', 'd1')],
        [push('a', 'd1'), push('b', 'd2')],
        ['push a on d1', 'push b on d2'],
      ],
      [
        'two that change places',
        [push('a', 'd1'), push('b', 'd2')],
        [push('a', 'd2'), push('b', 'd1')],
        ['push a on d2', 'push b on d1'],
      ],
      ['a token that is told without its device keeps it', [push('a', 'd1')], [push('a')], ['push a on d1']],
      [
        'a device that is told for another token leaves the old',
        [push('a', 'd1'), push('b')],
        [push('a'), push('b', 'd1')],
        ['push a', 'push b on d1'],
      ],
      ['of two tokens of one device the first counts', [], [push('a', 'd1'), push('b', 'd1')], ['push a on d1']],
      ['a token that moves to another device', [push('a', 'd1')], [push('a', 'd2')], ['push a on d2']],
    ]
  for (const [index, [name, before, told, after]] of devices.entries()) {
    it(`of devices: ${name}`, async () => {
      const externalId = `device-${index}`
      await write([{ externalId, contactPoints: before }])
      await write([{ externalId, contactPoints: told }])
      assert.deepEqual(await points(externalId), after)
    })
  }

  it('are verified when told so, and keep what is known of them', async () => {
    const at = clock.now().toISOString()
    const email = (verified?: boolean) => [{ channel: 'email' as const, address: 'a@x.y', verified }]
    const verified = async () => {
      const stamp = (await find('dee')).contact_points[0]!.verified_at
      return stamp && new Date(stamp).toISOString()
    }
    await write([{ externalId: 'dee', contactPoints: email() }])
    assert.equal(await verified(), null)
    await write([{ externalId: 'dee', contactPoints: email(true) }])
    clock.advance(1_000)
    await write([{ externalId: 'dee', contactPoints: email(true) }])
    await write([{ externalId: 'dee', contactPoints: email() }])
    assert.equal(await verified(), at)
    assert.deepEqual((await write([{ externalId: 'dee', contactPoints: email(false) }])).changed, ['dee'])
    assert.equal(await verified(), null)
  })
})

describe('what waits for a recipient', () => {
  const snooze = async (id: string) => {
    const deliveryId = world.ids.id()
    await world.admin.query(
      `insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
       values ($1, $2, $3, 'email', 1, 'quiet_hours', $4::timestamptz + interval '8 hours', $4)`,
      [world.tenant, deliveryId, id, clock.now()],
    )
    return async () =>
      (
        await world.rows<{ due: boolean }>('select until <= $2 as due from carillon.snoozes where delivery_id = $1', [
          deliveryId,
          clock.now(),
        ])
      )[0]!.due
  }

  it('is decided anew when the zone changes, and is left alone when nothing does', async () => {
    await write([
      { externalId: 'eve', timezone: 'Asia/Tokyo', contactPoints: [{ channel: 'email', address: 'e@x.y' }] },
    ])
    const isDue = await snooze('eve')
    await write([{ externalId: 'eve', timezone: 'Asia/Tokyo' }])
    assert.equal(await isDue(), false)
    await write([{ externalId: 'eve', timezone: 'Europe/Berlin' }])
    assert.equal(await isDue(), true)
  })

  it('is decided anew when an address changes', async () => {
    const isDue = await snooze('eve')
    await write([{ externalId: 'eve', contactPoints: [{ channel: 'email', address: 'new@x.y' }] }])
    assert.equal(await isDue(), true)
  })

  const states = (id: string) =>
    world.rows<{ state: string; reason: string | null }>(
      `select d.state::text as state, d.reason from carillon.deliveries d
       join carillon.notifications n on n.tenant_id = d.tenant_id and n.id = carillon.notification_id_of(d.id)
       where n.tenant_id = $1 and n.recipient_id = $2 and d.channel <> 'audit'`,
      [world.tenant, id],
    )

  it('and is planned already is not sent to who is switched off, nor to who is deleted', async () => {
    await write([{ externalId: 'flo' }, { externalId: 'gus' }])
    for (const id of ['flo', 'gus']) {
      await world.plan([world.intent({ recipients: [{ type: 'user', id, email: `${id}@x.y` }] })])
    }
    await write([{ externalId: 'flo', enabled: false }])
    assert.deepEqual(await remove('gus', 'nobody'), ['gus'])
    for (const id of ['flo', 'gus'])
      assert.deepEqual(await states(id), [{ state: 'suppressed', reason: 'recipient_disabled' }])
  })
})

describe('deleting recipients', () => {
  it('takes their points, preferences and memberships along, and their consent is withdrawn', async () => {
    await write([{ externalId: 'hal', roles: ['x'], contactPoints: [{ channel: 'email', address: 'h@x.y' }] }])
    await world.admin.query(
      `insert into carillon.preferences (tenant_id, recipient_id, version, document, updated_at, updated_by) values ($1, 'hal', 1, '{}', $2, 'x')`,
      [world.tenant, clock.now()],
    )
    await world.admin.query(
      `insert into carillon.consents (tenant_id, recipient_id, category, at, granted, source)
       values ($1, 'hal', 'marketing', '2026-01-01', true, 'shop'), ($1, 'hal', 'news', '2026-01-01', true, 'shop'), ($1, 'hal', 'news', '2026-01-02', false, 'shop')`,
      [world.tenant],
    )
    assert.deepEqual(
      await deleteRecipients(world.api, world.tenant, ['hal'], 'a test', clock.now()),
      [],
      'not as nobody',
    )
    assert.deepEqual(await remove('hal'), ['hal'])
    for (const table of ['contact_points', 'preferences', 'preference_versions', 'members']) {
      const left = await world.rows(`select from carillon.${table} where tenant_id = $1 and recipient_id = 'hal'`, [
        world.tenant,
      ])
      assert.equal(left.length, 0, table)
    }
    const words = await world.rows(
      `select category, granted, source from carillon.consents where recipient_id = 'hal' order by category, at`,
    )
    assert.deepEqual(
      words.map(({ category, granted, source }) => `${category} ${granted} ${source}`),
      ['marketing true shop', 'marketing false a test', 'news true shop', 'news false shop'],
    )
  })
})

describe('pages of recipients', () => {
  it('are in order, both ways, of all or of a role or a group', async () => {
    await write(
      Array.from({ length: 9 }, (_one, n) => ({
        externalId: `p${n}`,
        roles: n % 2 ? ['odd'] : ['even'],
        groups: n % 3 ? [] : ['third'],
        enabled: n !== 3,
      })),
    )
    const page = async (more: object) =>
      (
        await pageRecipients(world.worker, world.tenant, { forward: true, limit: 3, after: 'p', before: 'q', ...more })
      ).map(({ external_id }) => external_id)
    assert.deepEqual(await page({}), ['p0', 'p1', 'p2'])
    assert.deepEqual(await page({ after: 'p2' }), ['p3', 'p4', 'p5'])
    assert.deepEqual(await page({ forward: false, before: 'p5' }), ['p4', 'p3', 'p2'])
    assert.deepEqual(await page({ role: 'odd', after: 'p1' }), ['p3', 'p5', 'p7'])
    assert.deepEqual(await page({ role: 'odd', enabled: true }), ['p1', 'p5', 'p7'])
    assert.deepEqual(await page({ group: 'third', forward: false }), ['p6', 'p3', 'p0'])
    assert.deepEqual(await page({ role: 'even', group: 'third' }), ['p0', 'p6'])
    assert.deepEqual(await page({ role: 'nobody' }), [])
  })
})
