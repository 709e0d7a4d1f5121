import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const add = `mutation ($inputs: [SuppressionInput!]!) {
  addSuppressions(inputs: $inputs) { channel address reason source note expiresAt } }`
const remove = `mutation ($address: String!) { removeSuppression(channel: EMAIL, address: $address) }`
const list = `query ($filters: SuppressionFilters, $pagination: PaginationInput) {
  suppressions(filters: $filters, pagination: $pagination) {
    nodes { channel address reason } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
const addresses = async (filters: object = {}, pagination: object = {}) =>
  (await world.data(list, { filters, pagination })).suppressions.nodes.map(({ address }: Data) => address)

describe('suppressed addresses', () => {
  it('are added with reason, source and end, and compared in one form', async () => {
    const expiresAt = new Date(world.clock.now().getTime() + 3_600_000).toISOString()
    const { addSuppressions } = await world.data(add, {
      inputs: [
        { channel: 'EMAIL', address: 'Ann@Example.com', reason: 'HARD_BOUNCE', source: 'mail server', note: '550' },
        { channel: 'EMAIL', address: 'ann@example.com', reason: 'HARD_BOUNCE', source: 'mail server', note: '550' },
        { channel: 'SMS', address: '+49 151 1', expiresAt },
      ],
    })
    assert.deepEqual(addSuppressions, [
      {
        channel: 'EMAIL',
        address: 'ann@example.com',
        reason: 'HARD_BOUNCE',
        source: 'mail server',
        note: '550',
        expiresAt: null,
      },
      { channel: 'SMS', address: '+491511', reason: 'MANUAL', source: `key ${world.keyId}`, note: null, expiresAt },
    ])
    assert.deepEqual(await addresses({ address: 'ANN@example.com' }), ['ann@example.com'])
  })

  it('are listed by pages in both directions, by channel and reason, without those whose time is over', async () => {
    await world.data(add, {
      inputs: ['b', 'c', 'd', 'e'].map((name) => ({
        channel: 'EMAIL',
        address: `${name}@example.com`,
        reason: 'COMPLAINT',
      })),
    })
    const page = async (pagination: object) =>
      (await world.data(list, { pagination, filters: { channel: 'EMAIL' } })).suppressions
    const first = await page({ first: 2 })
    assert.deepEqual(
      first.nodes.map(({ address }: Data) => address),
      ['ann@example.com', 'b@example.com'],
    )
    assert.equal(first.pageInfo.hasNextPage, true)
    const second = await page({ first: 2, after: first.pageInfo.endCursor })
    assert.deepEqual(
      second.nodes.map(({ address }: Data) => address),
      ['c@example.com', 'd@example.com'],
    )
    const back = await page({ last: 2, before: second.pageInfo.startCursor })
    assert.deepEqual(back.nodes, first.nodes)
    assert.deepEqual(
      (await page({ last: 1 })).nodes.map(({ address }: Data) => address),
      ['e@example.com'],
    )
    assert.equal((await addresses({ reason: 'COMPLAINT' })).length, 4)
    world.clock.advance(3_600_001)
    assert.deepEqual(await addresses({ channel: 'SMS' }), [])
    assert.deepEqual(await addresses({ channel: 'SMS', expired: true }), ['+491511'])
    const foreign = await world.error(list, { pagination: { after: Buffer.from('n|x').toString('base64url') } })
    assert.equal(foreign.extensions.code, 'BAD_USER_INPUT')
  })

  it('are taken back into use once, and are another tenant’s own', async () => {
    assert.equal(
      (await world.data(remove, { address: 'B@example.com' }, { key: world.otherKey })).removeSuppression,
      false,
    )
    assert.equal((await world.data(remove, { address: 'B@example.com' })).removeSuppression, true)
    assert.equal((await world.data(remove, { address: 'b@example.com' })).removeSuppression, false)
  })

  const refused: [string, object, string[]][] = [
    ['no e-mail address', { address: 'ann' }, ['inputs', '1', 'address']],
    ['no phone number', { channel: 'SMS', address: 'none' }, ['inputs', '1', 'address']],
    ['two lines', { channel: 'SLACK', address: 'a\nb' }, ['inputs', '1', 'address']],
    ['an end in the past', { expiresAt: '2024-01-01T00:00:00Z' }, ['inputs', '1', 'expiresAt']],
  ]
  for (const [name, changes, path] of refused) {
    it(`with ${name} are refused, all of them`, async () => {
      const good = { channel: 'EMAIL', address: 'good@example.com' }
      const { extensions } = await world.error(add, { inputs: [good, { ...good, ...changes }] })
      assert.deepEqual(extensions.path, path)
      assert.deepEqual(await addresses({ address: 'good@example.com' }), [])
    })
  }
})
