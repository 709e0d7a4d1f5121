/** The whole service in this process, and a receiver on a socket that checks what comes with the reference library. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pino } from 'pino'
import { Webhook } from 'standardwebhooks'
import { type App, startApp } from '../../src/app.ts'
import { readConfig } from '../../src/config/config.ts'
import { apiKeyScopes, createApiKey } from '../../src/store/api-keys.ts'
import type { Data } from '../api/api-world.ts'
import { type ReceivedRequest, startHttpServer } from '../channels/support/fake-http-server.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const folder = await mkdtemp(join(tmpdir(), 'carillon-'))
const retryMs = 200
const app: App = await startApp({
  config: readConfig({
    NODE_ENV: 'test',
    PORT: '0',
    DATABASE_URL: world.url,
    CARILLON_DATA_DIR: folder,
    RETRY_DELAYS: `${retryMs}ms`,
    RETRY_JITTER: '0',
    WEBHOOK_TIMEOUT: '1s',
    POLL_IDLE: '20ms',
  }),
  databaseUrl: world.url,
  role: 'all',
  logger: pino({ level: 'silent' }),
})
const keyOf = async (tenantId: string) =>
  (await createApiKey(world.worker, { tenantId, name: 'a test', scopes: apiKeyScopes, now: new Date() })).key
const [key, otherKey] = [await keyOf(world.tenant), await keyOf(world.otherTenant)]
after(async () => {
  await app.stop()
  await rm(folder, { recursive: true })
})

async function ask(query: string, variables: object = {}, as = key): Promise<Data> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${as}` },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown }
  assert.equal(errors, undefined, JSON.stringify(errors))
  return data
}

interface Body {
  type: string
  timestamp: string
  data: Record<string, unknown>
}

type Receiver = Awaited<ReturnType<typeof startHttpServer>>
const bodies = (receiver: Receiver): Body[] => receiver.received.map(({ body }) => JSON.parse(body))

async function subscribe(url: string, eventTypes: string[], as = key): Promise<{ id: string; secret: string }> {
  const create = `mutation ($url: String!, $eventTypes: [String!]) { createWebhookEndpoint(url: $url, eventTypes: $eventTypes) { id secret } }`
  return (await ask(create, { url, eventTypes }, as)).createWebhookEndpoint
}

/** A notification into an inbox: received, requested, sent. */
async function send(as = key, recipient: object = { id: 'ann' }): Promise<string> {
  const input = { type: 'test.happened', recipient, channels: ['IN_APP'], subject: 'Hello', correlationId: 'c-1' }
  const mutation = `mutation ($input: SendNotificationInput!) { sendNotification(input: $input) { id } }`
  return (await ask(mutation, { input }, as)).sendNotification.id
}

const remove = (id: string) => ask(`mutation ($id: ID!) { deleteWebhookEndpoint(id: $id) }`, { id })
const endpointOf = async (id: string) =>
  (
    await ask(`{ webhookEndpoints { id enabled disabledReason lastSuccessAt lastFailureAt lastFailure failingSince } }`)
  ).webhookEndpoints.find((one: { id: string }) => one.id === id)
const deadLetters = async () =>
  (await ask(`{ deadLetters { nodes { deliveryId reason channel } } }`)).deadLetters.nodes as {
    deliveryId: string
    reason: string
  }[]

const answer = (status: number) => (response: ServerResponse) => response.writeHead(status).end()

test('an endpoint is told of each event once, signed, as the reference library verifies, and of nobody else’s', async () => {
  await using receiver = await startHttpServer(answer(204))
  await using foreign = await startHttpServer(answer(204))
  const { id, secret } = await subscribe(`${receiver.url}/hook`, ['notification.*'])
  const other = await subscribe(`${foreign.url}/hook`, ['notification.in_app.sent'], otherKey)
  const [mine, theirs] = [await send(), await send(otherKey)]
  await eventually(() => assert.equal(receiver.received.length, 4))
  await eventually(() => assert.equal(foreign.received.length, 1))

  for (const { body, headers } of receiver.received) {
    const verified = new Webhook(secret).verify(body, headers) as Body
    assert.equal(headers['webhook-id'], verified.data.id)
    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual(Object.keys(verified), ['type', 'timestamp', 'data'])
    assert.equal(verified.data.tenant_id, world.tenant)
    assert.ok(Math.abs(Date.parse(verified.timestamp) - Date.now()) < 60_000)
    assert.throws(() => new Webhook(other.secret).verify(body, headers))
  }
  const told = bodies(receiver).sort((a, b) => (String(a.data.sequence) < String(b.data.sequence) ? -1 : 1))
  assert.deepEqual(
    told.map(({ type }) => type),
    [
      'notification.intent.received',
      'notification.intent.enriched',
      'notification.in_app.requested',
      'notification.in_app.sent',
    ],
    'the sequence sorts them',
  )
  assert.equal(told[3]!.data.notification_id, mine)
  assert.equal(told[3]!.data.correlation_id, 'c-1')
  assert.equal(bodies(foreign)[0]!.data.notification_id, theirs)

  // Nothing more comes: telling is not told of.
  const again = await send()
  await eventually(() => assert.equal(receiver.received.length, 8))
  await eventually(async () => {
    const [row] = await world.rows(
      `select count(*)::int as count from carillon.deliveries where channel = 'webhook' and state = 'sent'`,
    )
    assert.equal(row!.count, 9)
  })
  await eventually(async () => {
    const [row] = await world.rows<{ behind: boolean }>(
      `select exists (select from carillon.status_log l where (l.xid, l.id) > (c.xid, c.id)) as behind
       from carillon.feed_cursors c where c.lane = 'status-webhooks'`,
    )
    assert.equal(row!.behind, false, 'the lane has passed even what was told of its own calls')
  })
  assert.equal(receiver.received.length, 8)
  assert.ok(bodies(receiver).every(({ type, data }) => !type.startsWith('notification.webhook.') && data.id !== again))
  assert.deepEqual(
    (await ask(`{ notifications { nodes { type } } }`)).notifications.nodes.map(({ type }: Body) => type),
    ['test.happened', 'test.happened'],
    'a list shows what was sent to people',
  )
  const { notifications } = await ask(`{ notifications(filters: { statusWebhooks: true }) { nodes { id eventId } } }`)
  assert.deepEqual(
    notifications.nodes.map(({ eventId }: { eventId: string }) => eventId).sort(),
    bodies(receiver)
      .map(({ data }) => data.id)
      .sort(),
  )
  await remove(id)
  await ask(`mutation ($id: ID!) { deleteWebhookEndpoint(id: $id) }`, { id: other.id }, otherKey)
})

test('a failing call is repeated with the same id and bytes, ends as a dead letter, and is replayed with them', async () => {
  let status = 500
  await using receiver = await startHttpServer((response) => response.writeHead(status).end('out of order'))
  const { id, secret } = await subscribe(`${receiver.url}/hook`, ['notification.in_app.sent'])
  await send()
  await eventually(async () => assert.equal((await deadLetters()).length, 1))
  const [letter] = await deadLetters()
  assert.equal(letter!.reason, 'transient')
  assert.equal(receiver.received.length, 2)
  await eventually(async () => assert.match((await endpointOf(id)).lastFailure, /HTTP 500: out of order/))
  assert.notEqual((await endpointOf(id)).failingSince, null)

  status = 204
  // While its URL changes: what waits goes where it is now.
  const update = `mutation ($id: ID!, $input: WebhookEndpointInput!) { updateWebhookEndpoint(id: $id, input: $input) { url } }`
  await ask(update, { id, input: { url: `${receiver.url}/other` } })
  await ask(`mutation ($ids: [ID!]!) { replayDeadLetters(ids: $ids) }`, { ids: [letter!.deliveryId] })
  await eventually(() => assert.equal(receiver.received.length, 3))
  const calls = receiver.received as [ReceivedRequest, ReceivedRequest, ReceivedRequest]
  assert.deepEqual(
    calls.map(({ url }) => url),
    ['/hook', '/hook', '/other'],
  )
  assert.equal(new Set(calls.map(({ headers }) => headers['webhook-id'])).size, 1)
  assert.equal(new Set(calls.map(({ body }) => body)).size, 1)
  for (const { body, headers } of calls) new Webhook(secret).verify(body, headers)
  await eventually(async () => assert.equal((await endpointOf(id)).failingSince, null), { timeoutMs: 15_000 })
  await remove(id)
})

test('410 switches an endpoint off, and it is told again of what happens once it is back', async () => {
  let status = 410
  await using receiver = await startHttpServer((response) => response.writeHead(status).end())
  const { id } = await subscribe(`${receiver.url}/gone`, ['notification.in_app.sent'])
  await send()
  await eventually(async () => {
    const { enabled, disabledReason } = await endpointOf(id)
    assert.deepEqual({ enabled, disabledReason }, { enabled: false, disabledReason: 'gone' })
  })
  assert.equal(receiver.received.length, 1)
  const missed = await send()
  await eventually(async () =>
    assert.equal(
      (await ask(`query ($id: ID!) { notification(id: $id) { status } }`, { id: missed })).notification.status,
      'SENT',
    ),
  )
  status = 204
  await ask(`mutation ($id: ID!) { enableWebhookEndpoint(id: $id) { enabled } }`, { id })
  const seen = await send()
  await eventually(() => assert.equal(receiver.received.length, 2))
  assert.equal(bodies(receiver)[1]!.data.notification_id, seen)
  const [letter] = (await deadLetters()).filter(({ reason }) => reason === 'endpoint_disabled')
  await ask(`mutation ($ids: [ID!]!) { replayDeadLetters(ids: $ids) }`, { ids: [letter!.deliveryId] })
  await eventually(() => assert.equal(receiver.received.length, 3))
  assert.equal(receiver.received[2]!.body, receiver.received[0]!.body)
  await remove(id)
})

test('while secrets rotate both sign; a test event reaches an endpoint that is subscribed to nothing', async () => {
  await using receiver = await startHttpServer(answer(204))
  const { id, secret } = await subscribe(`${receiver.url}/rotating`, ['notification.in_app.sent'])
  const rotate = `mutation ($id: ID!) { rotateWebhookEndpointSecret(id: $id) { secret } }`
  const { secret: second } = (await ask(rotate, { id })).rotateWebhookEndpointSecret
  await send()
  await eventually(() => assert.equal(receiver.received.length, 1))
  const [{ body, headers }] = receiver.received as [ReceivedRequest]
  for (const live of [secret, second]) new Webhook(live).verify(body, headers)

  const update = `mutation ($id: ID!) { updateWebhookEndpoint(id: $id, input: { eventTypes: null }) { eventTypes } }`
  assert.equal((await ask(update, { id })).updateWebhookEndpoint.eventTypes, null)
  await ask(rotate, { id })
  const { testWebhookEndpoint: made } = await ask(`mutation ($id: ID!) { testWebhookEndpoint(id: $id) { id type } }`, {
    id,
  })
  assert.equal(made.type, 'carillon.webhook.test')
  await eventually(() => assert.equal(receiver.received.length, 2))
  const called = receiver.received[1]!
  assert.throws(() => new Webhook(secret).verify(called.body, called.headers), 'the first secret signs no longer')
  const verified = new Webhook(second).verify(called.body, called.headers) as Body
  assert.equal(verified.type, 'carillon.webhook.test')
  assert.deepEqual(verified.data, { id: called.headers['webhook-id'], tenant_id: world.tenant, endpoint_id: id })
  await remove(id)
})

test('an endpoint that hangs holds up neither another one of the same tenant nor those of others', async () => {
  await using hanging = await startHttpServer(() => {})
  await using receiver = await startHttpServer(answer(204))
  const slow = await subscribe(`${hanging.url}/hook`, ['notification.*'])
  const fine = await subscribe(`${receiver.url}/hook`, ['notification.in_app.sent'])
  await Promise.all(Array.from({ length: 60 }, () => send()))
  await eventually(() => assert.ok(hanging.received.length > 0))
  await eventually(() => assert.equal(receiver.received.length, 60), { timeoutMs: 5_000 })
  await remove(slow.id)
  await remove(fine.id)
})
