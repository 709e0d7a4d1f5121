import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const fields = `id name timezone enabled roles attributes contactPoints { channel address position deviceId verifiedAt invalidAt invalidReason } updatedAt`
const upsert = `mutation ($inputs: [RecipientProfileInput!]!) { upsertRecipients(inputs: $inputs) { ${fields} } }`
const write = async (...inputs: object[]): Promise<Data[]> => (await world.data(upsert, { inputs })).upsertRecipients
const page = async (args: string): Promise<Data> =>
  (await world.data(`{ recipients${args} { nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage } } }`))
    .recipients
const ids = (connection: Data) => connection.nodes.map(({ id }: Data) => id)

describe('a recipient', () => {
  it('is switched off and on, and keeps that and its attributes where they are not told', async () => {
    const [made] = await write({ id: 'ann', attributes: { tier: 'gold', n: 1 } })
    assert.deepEqual([made.enabled, made.attributes], [true, { tier: 'gold', n: 1 }])
    await write({ id: 'ann', enabled: false })
    const [kept] = await write({ id: 'ann', name: 'Ann' })
    assert.deepEqual([kept.enabled, kept.attributes, kept.name], [false, { tier: 'gold', n: 1 }, 'Ann'])
    const [cleared] = await write({ id: 'ann', enabled: true, attributes: {} })
    assert.deepEqual([cleared.enabled, cleared.attributes, cleared.name], [true, {}, null])
  })

  const refused: [what: string, input: object, path: string][] = [
    ['attributes that are no object', { id: 'x', attributes: [1] }, 'attributes'],
    ['attributes that are too large', { id: 'x', attributes: { a: 'x'.repeat(70_000) } }, 'attributes'],
    ['too many roles', { id: 'x', roles: Array.from({ length: 101 }, (_one, n) => `r${n}`) }, 'roles'],
    [
      'a long device id',
      { id: 'x', contactPoints: [{ channel: 'PUSH', address: 't', deviceId: 'x'.repeat(256) }] },
      'contactPoints.0.deviceId',
    ],
    ['an empty address', { id: 'x', contactPoints: [{ channel: 'SMS', address: '' }] }, 'contactPoints.0.address'],
    [
      'a webhook that is no URL',
      { id: 'x', contactPoints: [{ channel: 'WEBHOOK', address: 'x' }] },
      'contactPoints.0.address',
    ],
  ]
  for (const [what, input, path] of refused) {
    it(`with ${what} is refused`, async () => {
      const { extensions } = await world.error(upsert, { inputs: [input] })
      assert.equal(extensions.code, 'VALIDATION_FAILED')
      assert.equal(extensions.path!.join('.'), `inputs.0.${path}`)
    })
  }

  it('is deleted, with all that is theirs, by their own tenant alone', async () => {
    await write({ id: 'gone', contactPoints: [{ channel: 'EMAIL', address: 'g@x.y' }] }, { id: 'stays' })
    const remove = `mutation ($ids: [ID!]!) { deleteRecipients(ids: $ids) }`
    assert.deepEqual(await world.data(remove, { ids: ['gone'] }, { key: world.otherKey }), { deleteRecipients: [] })
    assert.deepEqual(await world.data(remove, { ids: ['gone', 'never', 'gone'] }), { deleteRecipients: ['gone'] })
    const found = await world.data(`{ gone: recipient(id: "gone") { id } stays: recipient(id: "stays") { id } }`)
    assert.deepEqual(found, { gone: null, stays: { id: 'stays' } })
    assert.deepEqual(await world.rows(`select from carillon.contact_points where recipient_id = 'gone'`), [])
  })

  it('is for keys with the scope "manage"', async () => {
    const { key } = await world.newKey(['read'])
    const queries = [
      `{ recipients { nodes { id } } }`,
      `mutation { deleteRecipients(ids: ["a"]) }`,
      `mutation { removeContactPoint(recipientId: "a", channel: SMS, address: "1") { id } }`,
    ]
    for (const query of queries) assert.equal((await world.error(query, {}, { key })).extensions.code, 'FORBIDDEN')
  })
})

describe('a contact point', () => {
  const add = `mutation ($id: ID!, $point: ContactPointInput!, $first: Boolean) {
    addContactPoint(recipientId: $id, contactPoint: $point, first: $first) { ${fields} } }`
  const change = (name: string, more = '') =>
    `mutation ($id: ID!, $channel: Channel!, $address: String!) { ${name}(recipientId: $id, channel: $channel, address: $address${more}) { ${fields} } }`
  const told = (recipient: Data) =>
    recipient.contactPoints.map(({ address, deviceId }: Data) => `${address} ${deviceId}`)

  it('of a device is replaced by its new token', async () => {
    await write({ id: 'bo' })
    const point = (address: string, deviceId: string) => ({ channel: 'PUSH', address, deviceId })
    await world.data(add, { id: 'bo', point: point('t1', 'phone') })
    await world.data(add, { id: 'bo', point: point('t2', 'tablet') })
    const { addContactPoint } = await world.data(add, { id: 'bo', point: point('t3', 'phone'), first: true })
    assert.deepEqual(told(addContactPoint), ['t3 phone', 't2 tablet'])
  })

  it('that is invalid tells why and since when, and is usable again when it is verified', async () => {
    await write({ id: 'cy', contactPoints: [{ channel: 'EMAIL', address: 'c@x.y' }] })
    const place = { id: 'cy', channel: 'EMAIL', address: 'c@x.y' }
    const { invalidateContactPoint } = await world.data(change('invalidateContactPoint', ', reason: "bounced"'), place)
    const [bad] = invalidateContactPoint.contactPoints
    assert.deepEqual([bad.invalidReason, bad.invalidAt], ['bounced', world.clock.now().toISOString()])
    const { verifyContactPoint } = await world.data(change('verifyContactPoint'), place)
    const [good] = verifyContactPoint.contactPoints
    assert.deepEqual(
      [good.invalidReason, good.invalidAt, good.verifiedAt],
      [null, null, world.clock.now().toISOString()],
    )
    const { removeContactPoint } = await world.data(change('removeContactPoint'), place)
    assert.deepEqual(removeContactPoint.contactPoints, [])
  })

  it('of nobody, or that is not there, is not found', async () => {
    const nobody = await world.error(change('verifyContactPoint'), { id: 'nobody', channel: 'EMAIL', address: 'c@x.y' })
    assert.deepEqual([nobody.extensions.code, nobody.extensions.path], ['NOT_FOUND', ['recipientId']])
    const none = await world.error(change('removeContactPoint'), { id: 'cy', channel: 'EMAIL', address: 'other@x.y' })
    assert.deepEqual([none.extensions.code, none.extensions.path], ['NOT_FOUND', ['address']])
  })

  it('that is at fault is named', async () => {
    const wrong = await world.error(add, { id: 'cy', point: { channel: 'EMAIL', address: 'nonsense' } })
    assert.deepEqual([wrong.extensions.code, wrong.extensions.path], ['VALIDATION_FAILED', ['contactPoint', 'address']])
    const place = { id: 'cy', channel: 'EMAIL', address: 'c@x.y' }
    const reason = await world.error(change('invalidateContactPoint', ', reason: ""'), place)
    assert.deepEqual([reason.extensions.code, reason.extensions.path], ['VALIDATION_FAILED', ['reason']])
  })

  it('is refused behind fifty others', async () => {
    const contactPoints = Array.from({ length: 50 }, (_one, n) => ({ channel: 'SMS', address: `+${n}` }))
    await write({ id: 'many', contactPoints })
    const { extensions } = await world.error(add, { id: 'many', point: { channel: 'SMS', address: '+50' } })
    assert.equal(extensions.code, 'BAD_USER_INPUT')
    const [kept] = await world.rows(
      `select count(*)::int as n from carillon.contact_points where recipient_id = 'many'`,
    )
    assert.equal(kept!.n, 50)
  })
})

describe('the list of recipients', () => {
  it('is read in pages, in the order of the ids, both ways', async () => {
    await write(
      ...['l|1', 'l|2', 'l|3', 'l|4'].map((id) => ({ id, roles: ['listed'], groups: id > 'l|2' ? ['late'] : [] })),
    )
    const filter = 'filters: { role: "listed" }'
    const first = await page(`(${filter}, pagination: { first: 3 })`)
    assert.deepEqual(
      [ids(first), first.pageInfo],
      [['l|1', 'l|2', 'l|3'], { hasNextPage: true, hasPreviousPage: false }],
    )
    const rest = await page(`(${filter}, pagination: { first: 3, after: "${first.edges[2].cursor}" })`)
    assert.deepEqual([ids(rest), rest.pageInfo], [['l|4'], { hasNextPage: false, hasPreviousPage: true }])
    const last = await page(`(${filter}, pagination: { last: 2, before: "${rest.edges[0].cursor}" })`)
    assert.deepEqual(ids(last), ['l|2', 'l|3'])
    assert.deepEqual(ids(await page('(filters: { role: "listed", group: "late" })')), ['l|3', 'l|4'])
    assert.deepEqual(ids(await page('(filters: { group: "late", enabled: false })')), [])
  })

  it('takes only its own cursors', async () => {
    const { extensions } = await world.error(`{ recipients(pagination: { after: "nonsense" }) { nodes { id } } }`)
    assert.deepEqual([extensions.code, extensions.path], ['BAD_USER_INPUT', ['pagination', 'after']])
  })

  it('is of one tenant', async () => {
    const { recipients } = await world.data(`{ recipients { nodes { id } } }`, {}, { key: world.otherKey })
    assert.deepEqual(recipients.nodes, [])
  })
})
