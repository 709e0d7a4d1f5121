import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const create = `mutation ($url: String!, $eventTypes: [String!], $description: String, $enabled: Boolean) {
  createWebhookEndpoint(url: $url, eventTypes: $eventTypes, description: $description, enabled: $enabled) {
    id secret endpoint { url description eventTypes enabled disabledReason lastSuccessAt lastFailureAt lastFailure failingSince }
  } }`
const update = `mutation ($id: ID!, $input: WebhookEndpointInput!) {
  updateWebhookEndpoint(id: $id, input: $input) { url description eventTypes enabled disabledReason } }`

let count = 0
const anUrl = () => `https://example.com/${count++}`
const created = async (fields: object = {}): Promise<Data> =>
  (await world.data(create, { url: anUrl(), eventTypes: ['notification.*'], ...fields })).createWebhookEndpoint
const sinceOf = async (id: string) =>
  (
    await world.rows<{ since: string | null }>('select since::text from carillon.webhook_endpoints where id = $1', [id])
  )[0]!.since

describe('an endpoint for status events', () => {
  it('is made with event types, a description and a secret, and begins now', async () => {
    const { id, secret, endpoint } = await created({
      eventTypes: ['notification.email.sent', 'notification.*.failed', 'notification.email.sent'],
      description: 'billing',
    })
    assert.match(secret, /^whsec_/)
    const { url, ...rest } = endpoint
    assert.deepEqual(rest, {
      description: 'billing',
      eventTypes: ['notification.email.sent', 'notification.*.failed'],
      enabled: true,
      disabledReason: null,
      lastSuccessAt: null,
      lastFailureAt: null,
      lastFailure: null,
      failingSince: null,
    })
    assert.notEqual(await sinceOf(id), null)
    const { webhookEndpoints: listed } = await world.data(`{ webhookEndpoints(subscribed: true) { id url } }`)
    assert.ok(listed.some((one: Data) => one.id === id && one.url === url))
    const { webhookEndpoints: others } = await world.data(`{ webhookEndpoints(subscribed: false) { id } }`)
    assert.ok(!others.some((one: Data) => one.id === id))
  })

  const faults: [string, object, string[]][] = [
    ['of an unknown type', { eventTypes: ['notification.email.sent', 'notification.fax.sent'] }, ['eventTypes', '1']],
    ['of a pattern that covers nothing', { eventTypes: ['notification.em*'] }, ['eventTypes', '0']],
    ['of no type', { eventTypes: [] }, ['eventTypes']],
    ['of too many', { eventTypes: Array(51).fill('*') }, ['eventTypes']],
    ['with a long description', { description: 'x'.repeat(501) }, ['description']],
    ['with a password in its URL', { url: 'https://:secret@example.com/' }, ['url']],
  ]
  for (const [name, fields, path] of faults) {
    it(`${name} is refused, with the field's name`, async () => {
      const { extensions } = await world.error(create, { url: anUrl(), ...fields })
      assert.equal(extensions.code, 'VALIDATION_FAILED')
      assert.deepEqual(extensions.path, path)
    })
  }

  it('is changed field by field, and what is left out stays', async () => {
    const { id } = await created({ description: 'one' })
    const change = async (input: object) => (await world.data(update, { id, input })).updateWebhookEndpoint
    const since = await sinceOf(id)
    const url = anUrl()
    assert.deepEqual(await change({ url }), {
      url,
      description: 'one',
      eventTypes: ['notification.*'],
      enabled: true,
      disabledReason: null,
    })
    assert.deepEqual((await change({ description: null })).description, null)
    assert.deepEqual((await change({ eventTypes: ['*'] })).eventTypes, ['*'])
    assert.equal(await sinceOf(id), since, 'other types begin nothing anew')
    assert.equal((await change({ eventTypes: null })).eventTypes, null)
    assert.equal(await sinceOf(id), null)
    await change({ eventTypes: ['*'] })
    assert.notEqual(await sinceOf(id), null)
    const off = await change({ enabled: false })
    assert.deepEqual([off.enabled, off.disabledReason], [false, 'switched_off'])
    const before = await sinceOf(id)
    await world.admin.query('select pg_current_xact_id()') // time goes on
    assert.equal((await change({ enabled: true })).disabledReason, null)
    assert.notEqual(await sinceOf(id), before)
  })

  it('cannot take the URL of another, nor be made at one', async () => {
    const [one, other] = [await created(), await created()]
    const { extensions } = await world.error(update, { id: one.id, input: { url: other.endpoint.url } })
    assert.deepEqual(extensions.path, ['input', 'url'])
    const again = await world.error(create, { url: other.endpoint.url })
    assert.deepEqual(again.extensions.path, ['url'])
    assert.equal(
      (await world.data(update, { id: one.id, input: { url: one.endpoint.url } })).updateWebhookEndpoint.url,
      one.endpoint.url,
    )
  })

  it('is deleted once', async () => {
    const { id } = await created()
    const remove = `mutation ($id: ID!) { deleteWebhookEndpoint(id: $id) }`
    assert.equal((await world.data(remove, { id })).deleteWebhookEndpoint, true)
    assert.equal((await world.error(remove, { id })).extensions.code, 'NOT_FOUND')
    assert.equal((await world.error(remove, { id: 'nonsense' })).extensions.code, 'NOT_FOUND')
  })

  it('is tried with an event of its own, unless it is switched off', async () => {
    const { id } = await created()
    const test = `mutation ($id: ID!) { testWebhookEndpoint(id: $id) { id type status channels recipientId eventId } }`
    const { testWebhookEndpoint: made } = await world.data(test, { id })
    assert.deepEqual([made.type, made.status, made.channels], ['carillon.webhook.test', 'PENDING', ['WEBHOOK']])
    assert.equal(made.recipientId, `webhook-endpoint:${id}`)
    await world.data(update, { id, input: { enabled: false } })
    const { extensions } = await world.error(test, { id })
    assert.deepEqual([extensions.code, extensions.path], ['VALIDATION_FAILED', ['id']])
  })

  it('needs the scope manage', async () => {
    const { key } = await world.newKey(['read', 'send'])
    const { id } = await created()
    for (const query of [
      `mutation { createWebhookEndpoint(url: "https://example.com/x") { id } }`,
      `mutation { updateWebhookEndpoint(id: "${id}", input: {}) { id } }`,
      `mutation { deleteWebhookEndpoint(id: "${id}") }`,
      `mutation { testWebhookEndpoint(id: "${id}") { id } }`,
    ]) {
      assert.equal((await world.error(query, undefined, { key })).extensions.code, 'FORBIDDEN')
    }
  })
})

describe('endpoints for status events', () => {
  it('are twenty a tenant at most, however many are made at once', async () => {
    const { key } = await world.newKey(['manage'], world.otherTenant)
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => world.ask(create, { url: anUrl(), eventTypes: ['*'] }, { key })),
    )
    const refused = answers.filter(({ errors }) => errors)
    assert.equal(refused.length, 10)
    assert.deepEqual(refused[0]!.errors![0]!.extensions.path, ['eventTypes'])
    const { createWebhookEndpoint: plain } = await world.data(create, { url: anUrl() }, { key })
    const { extensions } = await world.error(update, { id: plain.id, input: { eventTypes: ['*'] } }, { key })
    assert.deepEqual(extensions.path, ['input', 'eventTypes'])
  })
})
