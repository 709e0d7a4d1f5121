import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { reserveLimits } from '../../src/pipeline/permit/reserve-limits.ts'
import { deleteSystemLimit, loadLimits, setSystemLimit } from '../../src/store/limits.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const fields = 'id name scope category channel max windowSeconds calendar onExcess allowCritical byOperator'
const create = `mutation ($input: RateLimitInput!) { createRateLimit(input: $input) { ${fields} } }`
const update = `mutation ($id: ID!, $input: RateLimitInput!) { updateRateLimit(id: $id, input: $input) { ${fields} } }`
const remove = `mutation ($id: ID!) { deleteRateLimit(id: $id) }`
const usage = `query ($userId: ID) { limitUsage(userId: $userId) { limit { name } used remaining since freesAt } }`

let count = 0
const input = (more: object = {}) => ({
  name: `limit ${++count}`,
  scope: 'USER',
  max: 10,
  windowSeconds: 3600,
  ...more,
})
const created = async (more: object = {}): Promise<Data> =>
  (await world.data(create, { input: input(more) })).createRateLimit
const versionOf = async (tenant = world.tenant) =>
  (
    await world.rows<{ version: string }>('select version from carillon.settings_versions where tenant_id = $1', [
      tenant,
    ])
  )[0]?.version

describe('limits over GraphQL', () => {
  it('are made, listed, changed and deleted, and each change is one of the tenant’s settings', async () => {
    const versions = [await versionOf()]
    const made = await created({ name: 'SMS a person', channel: 'SMS', category: 'marketing', onExcess: 'SUPPRESS' })
    versions.push(await versionOf())
    const { id, ...rest } = made
    assert.deepEqual(rest, {
      name: 'SMS a person',
      scope: 'USER',
      category: 'marketing',
      channel: 'SMS',
      max: 10,
      windowSeconds: 3_600,
      calendar: null,
      onExcess: 'SUPPRESS',
      allowCritical: false,
      byOperator: false,
    })
    const changed = { name: 'a month', scope: 'TENANT', max: 5_000, calendar: 'MONTH', allowCritical: true }
    const { updateRateLimit } = await world.data(update, { id, input: changed })
    versions.push(await versionOf())
    assert.deepEqual(updateRateLimit, {
      id,
      ...changed,
      category: null,
      channel: null,
      windowSeconds: null,
      onExcess: null,
      byOperator: false,
    })
    assert.deepEqual(await loadLimits(world.worker, world.tenant), [
      { id, name: 'a month', scope: 'tenant', max: 5_000, window: { calendar: 'month' }, allowCritical: true },
    ])
    assert.equal((await world.data(remove, { id })).deleteRateLimit, true)
    versions.push(await versionOf())
    assert.deepEqual(await loadLimits(world.worker, world.tenant), [])
    assert.equal(new Set(versions).size, 4)
    for (const query of [remove, update]) {
      assert.equal((await world.error(query, { id, input: input() })).extensions.code, 'NOT_FOUND')
    }
  })

  const faults: [name: string, more: object, path: string[]][] = [
    ['without a window', { windowSeconds: null }, ['input', 'windowSeconds']],
    ['of nothing', { max: 0 }, ['input', 'max']],
    ['without a name', { name: '' }, ['input', 'name']],
    ['of the whole installation', { scope: 'SYSTEM' }, ['input', 'scope']],
  ]
  for (const [name, more, path] of faults) {
    it(`${name} are refused, with the field's name`, async () => {
      const { extensions } = await world.error(create, { input: input(more) })
      assert.deepEqual([extensions.code, extensions.path], ['VALIDATION_FAILED', path])
    })
  }

  it('have names of their own in a tenant', async () => {
    const [one, other] = [await created(), await created()]
    for (const [query, variables] of [
      [create, { input: input({ name: one.name }) }],
      [update, { id: other.id, input: input({ name: one.name }) }],
    ] as const) {
      assert.deepEqual((await world.error(query, variables)).extensions.path, ['input', 'name'])
    }
    await world.data(create, { input: input({ name: one.name }) }, { key: world.otherKey })
  })

  it('are of the tenant alone, and of a key that may manage', async () => {
    const { id } = await created()
    for (const query of [update, remove]) {
      const { extensions } = await world.error(query, { id, input: input() }, { key: world.otherKey })
      assert.equal(extensions.code, 'NOT_FOUND')
    }
    const { key } = await world.newKey(['send', 'read'])
    for (const query of [create, update, remove, '{ rateLimits { id } }', '{ limitUsage { used } }']) {
      assert.equal((await world.error(query, { id, input: input() }, { key })).extensions.code, 'FORBIDDEN')
    }
  })

  it('tell how much is used, of the tenant and of a recipient', async () => {
    const quota = await created({ scope: 'TENANT', windowSeconds: null, calendar: 'DAY', max: 4 })
    const mine = await created({ max: 2 })
    const limits = (await loadLimits(world.worker, world.tenant)).filter(({ id }) => id === quota.id || id === mine.id)
    const asks = ['ann', 'ann', 'ann', 'bob'].map((recipientId, index) => {
      return { deliveryKey: String(index), recipientId, channel: 'email' as const, priority: 1 }
    })
    await reserveLimits(world.worker, world.tenant, limits, asks, world.clock.now())
    const used = async (userId?: string) =>
      (await world.data(usage, { userId })).limitUsage
        .filter((one: Data) => [quota.name, mine.name].includes(one.limit.name))
        .map((one: Data) => [one.limit.name, one.used, one.remaining])
    assert.deepEqual(await used(), [[quota.name, 3, 1]])
    assert.deepEqual(await used('ann'), [
      [quota.name, 3, 1],
      [mine.name, 2, 0],
    ])
    assert.deepEqual((await used('nobody'))[1], [mine.name, 0, 2])
  })

  it('of the operator are shown to those that they concern, who cannot change them', async () => {
    const now = world.clock.now()
    const before = [await versionOf(), await versionOf(world.otherTenant)]
    const limit = { name: 'all mail', scope: 'system', max: 7, window: { seconds: 60 }, allowCritical: true } as const
    const all = await setSystemLimit(world.worker, world.ids.id(), limit, undefined, now)
    const theirs = await setSystemLimit(
      world.worker,
      world.ids.id(),
      { ...limit, name: 'theirs', scope: 'tenant' },
      world.otherTenant,
      now,
    )
    assert.notDeepEqual([await versionOf(), await versionOf(world.otherTenant)], before)
    const seen = async (key?: string) =>
      (await world.data('{ rateLimits { name byOperator } }', {}, key ? { key } : {})).rateLimits
        .filter((one: Data) => one.byOperator)
        .map((one: Data) => one.name)
    assert.deepEqual(await seen(), ['all mail'])
    assert.deepEqual(await seen(world.otherKey), ['all mail', 'theirs'])
    for (const { id } of [all, theirs]) {
      for (const query of [update, remove]) {
        const { extensions } = await world.error(query, { id, input: input() }, { key: world.otherKey })
        assert.equal(extensions.code, 'NOT_FOUND')
      }
    }
    assert.deepEqual(
      (await loadLimits(world.worker, world.tenant)).filter(({ name }) => name === 'all mail'),
      [{ id: all.id, ...limit }],
    )
    const again = await setSystemLimit(world.worker, world.ids.id(), { ...limit, max: 8 }, undefined, now)
    assert.deepEqual([again.id, again.max], [all.id, 8], 'the same limit, with what it has counted')
    for (const name of ['all mail', 'theirs']) assert.equal(await deleteSystemLimit(world.worker, name), true)
    assert.equal(await deleteSystemLimit(world.worker, 'theirs'), false)
  })

  it('are not more than a hundred', async () => {
    await world.admin.query(
      `insert into carillon.limits (tenant_id, id, name, scope, max, window_seconds, allow_critical, created_at, updated_at)
       select $1, gen_random_uuid(), 'many ' || n, 'user', 1, 60, false, now(), now() from generate_series(1, 100) n`,
      [world.tenant],
    )
    assert.match((await world.error(create, { input: input() })).message, /100 limits already/)
  })
})
