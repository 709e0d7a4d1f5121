import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { notificationId } from '../../src/domain/ids.ts'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const upsert = `mutation ($inputs: [RecipientProfileInput!]!) {
  upsertRecipients(inputs: $inputs) { id name locale timezone roles groups contactPoints { channel address invalidAt } }
}`

describe('recipients', () => {
  it('are written as given, and their contact points only where given', async () => {
    const contactPoints = [
      { channel: 'EMAIL', address: 'new@example.com' },
      { channel: 'EMAIL', address: 'old@example.com' },
      { channel: 'SMS', address: '+4912345' },
    ]
    const ann = {
      id: 'ann',
      name: 'Ann',
      locale: 'de',
      timezone: 'Europe/Berlin',
      roles: ['ops'],
      groups: ['g'],
      contactPoints,
    }
    const { upsertRecipients } = await world.data(upsert, { inputs: [ann, { id: 'bo' }] })
    const points = contactPoints.map((point) => ({ ...point, invalidAt: null }))
    assert.deepEqual(upsertRecipients, [
      { ...ann, contactPoints: points },
      { id: 'bo', name: null, locale: null, timezone: null, roles: [], groups: [], contactPoints: [] },
    ])
    await world.data(upsert, { inputs: [{ id: 'ann', roles: ['dev'] }] })
    const { recipient } = await world.data(
      `{ recipient(id: "ann") { name roles contactPoints { channel address invalidAt } } }`,
    )
    assert.deepEqual(recipient, { name: null, roles: ['dev'], contactPoints: points })
  })

  it('keep what is known of an address that stays, and lose those that go', async () => {
    const point = (address: string) => ({ channel: 'EMAIL', address })
    await world.data(upsert, { inputs: [{ id: 'cy', contactPoints: [point('a@b.c'), point('d@e.f')] }] })
    await world.admin.query(
      `update carillon.contact_points set invalid_at = now(), invalid_reason = 'bounced' where recipient_id = 'cy' and address = 'a@b.c'`,
    )
    const { upsertRecipients } = await world.data(upsert, {
      inputs: [{ id: 'cy', contactPoints: [point('g@h.i'), point('a@b.c')] }],
    })
    assert.deepEqual(
      upsertRecipients[0].contactPoints.map((one: Data) => [one.address, one.invalidAt !== null]),
      [
        ['g@h.i', false],
        ['a@b.c', true],
      ],
    )
  })

  it('are written a thousand at a time, twice at once', async () => {
    const inputs = Array.from({ length: 1_000 }, (_one, index) => ({
      id: `r-${index}`,
      contactPoints: [{ channel: 'EMAIL', address: `r${index}@b.c` }],
    }))
    const query = `mutation ($inputs: [RecipientProfileInput!]!) { upsertRecipients(inputs: $inputs) { id } }`
    const answers = await Promise.all([
      world.data(query, { inputs }),
      world.data(query, { inputs: [...inputs].reverse() }),
    ])
    assert.ok(answers.every(({ upsertRecipients }) => upsertRecipients.length === 1_000))
  })

  it('are all refused where one is at fault, and every fault is named', async () => {
    const inputs = [
      { id: 'fine' },
      { id: 'x', timezone: 'Mars/Base' },
      { id: 'x', contactPoints: [{ channel: 'EMAIL', address: 'nonsense' }] },
      { id: '' },
      { id: 'fine' },
    ]
    const { extensions } = await world.error(upsert, { inputs })
    assert.equal(extensions.code, 'VALIDATION_FAILED')
    assert.deepEqual(
      extensions.faults!.map(({ path }) => path.join('.')),
      ['inputs.1.timezone', 'inputs.2.contactPoints.0.address', 'inputs.3.id', 'inputs.4.id'],
    )
    assert.equal((await world.data(`{ recipient(id: "fine") { id } }`)).recipient, null)
  })
})

describe('webhook endpoints', () => {
  const create = `mutation ($url: String!) { createWebhookEndpoint(url: $url) { id secret endpoint { url enabled } } }`

  it('get a secret, which is shown once and rotated beside the old one', async () => {
    const { createWebhookEndpoint: made } = await world.data(create, { url: 'https://example.com/hook' })
    assert.match(made.secret, /^whsec_[A-Za-z0-9+/]{43}=$/)
    assert.deepEqual(made.endpoint, { url: 'https://example.com/hook', enabled: true })
    const rotate = `mutation ($id: ID!) { rotateWebhookEndpointSecret(id: $id) { secret } }`
    const { rotateWebhookEndpointSecret: second } = await world.data(rotate, { id: made.id })
    const secrets = async () =>
      (await world.rows('select secrets from carillon.webhook_endpoints where id = $1', [made.id]))[0]!.secrets
    assert.deepEqual(await secrets(), [second.secret, made.secret])
    const { rotateWebhookEndpointSecret: third } = await world.data(rotate, { id: made.id })
    assert.deepEqual(await secrets(), [third.secret, second.secret])
  })

  it('that were switched off come back', async () => {
    const { createWebhookEndpoint: made } = await world.data(create, { url: 'https://example.com/gone' })
    await world.admin.query(
      `update carillon.webhook_endpoints set disabled_at = now(), disabled_reason = 'gone' where id = $1`,
      [made.id],
    )
    const { webhookEndpoints } = await world.data(`{ webhookEndpoints { id enabled disabledReason } }`)
    assert.deepEqual(
      webhookEndpoints.find(({ id }: { id: string }) => id === made.id),
      { id: made.id, enabled: false, disabledReason: 'gone' },
    )
    const enable = `mutation ($id: ID!) { enableWebhookEndpoint(id: $id) { enabled } }`
    assert.equal((await world.data(enable, { id: made.id })).enableWebhookEndpoint.enabled, true)
  })

  const refused: [string, string][] = [
    ['that is no URL', 'nonsense'],
    ['of another scheme', 'ftp://example.com'],
    ['with credentials', 'https://user:secret@example.com'],
    ['that is there already', 'https://example.com/twice'],
  ]
  for (const [name, url] of refused) {
    it(`${name} is refused`, async () => {
      if (url.endsWith('twice')) await world.data(create, { url })
      const { extensions } = await world.error(create, { url })
      assert.equal(extensions.code, 'VALIDATION_FAILED')
      assert.deepEqual(extensions.path, ['url'])
    })
  }
})

describe('dead letters', () => {
  it('are read in both directions, though they came within one millisecond', async () => {
    const ids = (await world.plan(Array.from({ length: 5 }, () => world.intent()))).map(
      (id) => `${notificationId(id, 1).slice(0, 34)}01`,
    )
    for (const [index, id] of ids.entries()) {
      await world.admin.query(
        `insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at)
         values ($1, $2, 'email', 'permanent', 3, timestamptz '2026-01-15 10:00:00.000100Z' + $3 * interval '1 microsecond')`,
        [world.tenant, id, index >> 1],
      )
    }
    const query = `query ($p: PaginationInput) { deadLetters(pagination: $p) { nodes { deliveryId notificationId notification { id status } reason } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`
    const expected = [...ids].reverse()
    const seen: string[] = []
    let after: string | null = null
    do {
      const { deadLetters }: Data = await world.data(query, { p: { first: 2, after } })
      seen.push(...deadLetters.nodes.map((node: Data) => node.deliveryId))
      assert.equal(deadLetters.nodes[0].notification.id, deadLetters.nodes[0].notificationId)
      after = deadLetters.pageInfo.hasNextPage ? deadLetters.pageInfo.endCursor : null
    } while (after)
    assert.deepEqual(seen, expected)
    const { deadLetters: last } = await world.data(query, { p: { last: 2 } })
    const { deadLetters: before } = await world.data(query, { p: { last: 2, before: last.pageInfo.startCursor } })
    assert.deepEqual(
      [...before.nodes, ...last.nodes].map((node: Data) => node.deliveryId),
      expected.slice(1),
    )
  })
})
