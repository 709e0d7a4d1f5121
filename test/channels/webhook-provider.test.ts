import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { createWebhookProvider, type WebhookSettings } from '../../src/channels/webhook/webhook-provider.ts'
import type { Message } from '../../src/domain/message.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { testClock } from '../support/test-clock.ts'
import { startHttpServer } from './support/fake-http-server.ts'
import { localhostTls } from './support/localhost-tls.ts'
import { firstSecret, secondSecret, testMessage } from './support/test-message.ts'

const never = new AbortController().signal
const local: WebhookSettings = { timeoutMs: 2_000, allowHttp: true, allowPrivateAddresses: true }

/** Sends each message to a server that accepts, and gives what it received. */
async function deliver(messages: Partial<Message>[], clock = systemClock) {
  await using server = await startHttpServer((response) => response.end('thanks'))
  const provider = createWebhookProvider(local, clock)
  for (const over of messages) {
    const outcome = await provider.send(testMessage('webhook', { address: `${server.url}/in?a=1`, ...over }), never)
    assert.deepEqual(outcome, { kind: 'accepted', detail: 'HTTP 200' })
  }
  await provider.close()
  return server.received
}

test('the reference library verifies what is sent, and reads the notification out of it', async () => {
  const [request] = await deliver([{}])
  const read = new Webhook(firstSecret).verify(request!.body, request!.headers)
  const message = testMessage('webhook')
  assert.deepEqual(read, {
    type: 'commerce.order.shipped',
    timestamp: '2026-05-01T12:00:00.000Z',
    data: {
      id: message.notificationId,
      delivery_id: message.deliveryId,
      recipient_id: 'customer-77812',
      subject: message.subject,
      body: message.body,
      data: message.data,
      metadata: message.metadata,
    },
  })
  assert.equal(`${request!.method} ${request!.url}`, 'POST /in?a=1')
  assert.equal(request!.headers['content-type'], 'application/json')
  assert.equal(request!.headers['user-agent'], 'Carillon-Webhooks')
  assert.equal(request!.headers['webhook-id'], message.deliveryId)
})

test('every live secret signs, so that receivers may change theirs at any time', async () => {
  const [request] = await deliver([{ webhook: { endpointId: 'ep', secrets: [secondSecret, firstSecret] } }])
  assert.match(request!.headers['webhook-signature']!, /^v1,\S{44} v1,\S{44}$/)
  new Webhook(firstSecret).verify(request!.body, request!.headers)
  new Webhook(secondSecret).verify(request!.body, request!.headers)
  const other = new Webhook(`whsec_${Buffer.alloc(32, 7).toString('base64')}`)
  assert.throws(() => other.verify(request!.body, request!.headers), /No matching signature/)
  assert.throws(() => new Webhook(firstSecret).verify(`${request!.body} `, request!.headers), /No matching signature/)
})

test('a retry keeps the id and the bytes, and has its own timestamp and signature', async () => {
  const clock = testClock('2026-05-01T12:00:00.999Z')
  const ticking = {
    now() {
      clock.advance(30_000)
      return clock.now()
    },
  }
  const [first, second] = await deliver([{ attempt: 1 }, { attempt: 2 }], ticking)
  assert.equal(first!.body, second!.body)
  assert.equal(first!.headers['webhook-id'], second!.headers['webhook-id'])
  assert.equal(first!.headers['webhook-timestamp'], String(Date.parse('2026-05-01T12:00:30Z') / 1_000))
  assert.notEqual(first!.headers['webhook-timestamp'], second!.headers['webhook-timestamp'])
  assert.notEqual(first!.headers['webhook-signature'], second!.headers['webhook-signature'])
})

const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const traces: [given: string | undefined, sent: string | undefined][] = [
  [traceparent, traceparent],
  [undefined, undefined],
  ['nonsense', undefined],
  [`${traceparent}\r\nx-evil: 1`, undefined],
]
for (const [given, sent] of traces) {
  test(`traceparent ${JSON.stringify(given)} is passed on as ${sent}`, async () => {
    const [request] = await deliver([{ traceparent: given }])
    assert.equal(request!.headers.traceparent, sent)
  })
}

const refusals: [what: string, over: Partial<Message>, settings: WebhookSettings, detail: string][] = [
  ['a private address', {}, { allowHttp: true }, 'the address is not public'],
  ['http when only https may be', {}, { allowPrivateAddresses: true }, 'the endpoint must use https'],
  ['another scheme', { address: 'ftp://x.example/' }, local, 'the endpoint is neither http nor https'],
  ['no URL', { address: 'quasimodo' }, local, 'the endpoint is no URL'],
  ['credentials', { address: 'http://a:hunter2@127.0.0.1/' }, local, 'the endpoint must not carry credentials'],
  ['no endpoint', { webhook: undefined }, local, 'the endpoint has no usable signing secret'],
  ['no secret', { webhook: { endpointId: 'e', secrets: [] } }, local, 'the endpoint has no usable signing secret'],
  ...['whsec_c2hvcnQ=', 'whsec_***', firstSecret.slice(6), `whsec_${Buffer.alloc(65).toString('base64')}`].map(
    (bad): [string, Partial<Message>, WebhookSettings, string] => [
      `one unusable secret ${bad} beside a good one`,
      { webhook: { endpointId: 'e', secrets: [firstSecret, bad] } },
      local,
      'the endpoint has no usable signing secret',
    ],
  ),
]
for (const [what, over, settings, detail] of refusals) {
  test(`${what} is refused as misconfigured, and nothing is sent`, async () => {
    await using server = await startHttpServer((response) => response.end())
    const provider = createWebhookProvider(settings, systemClock)
    const outcome = await provider.send(testMessage('webhook', { address: server.url, ...over }), never)
    await provider.close()
    assert.deepEqual(outcome, { kind: 'rejected', reason: 'misconfigured', retryable: false, detail })
    assert.equal(server.received.length, 0)
  })
}

test('a redirect is not followed', async () => {
  await using target = await startHttpServer((response) => response.end())
  await using server = await startHttpServer((response) => response.writeHead(307, { location: target.url }).end())
  const provider = createWebhookProvider(local, systemClock)
  const outcome = await provider.send(testMessage('webhook', { address: server.url }), never)
  await provider.close()
  assert.equal(outcome.kind === 'rejected' && outcome.reason, 'permanent')
  assert.equal(target.received.length, 0)
})

test('https is verified: a trusted authority is accepted, another is a fault that may pass', async () => {
  await using server = await startHttpServer((response) => response.end(), { tls: true })
  const trusting = createWebhookProvider({ allowPrivateAddresses: true, ca: localhostTls.cert }, systemClock)
  const wary = createWebhookProvider({ allowPrivateAddresses: true }, systemClock)
  const message = testMessage('webhook', { address: server.url })
  assert.equal((await trusting.send(message, never)).kind, 'accepted')
  assert.deepEqual(await wary.send(message, never), {
    kind: 'rejected',
    reason: 'transient',
    retryable: true,
    detail: 'not sent (DEPTH_ZERO_SELF_SIGNED_CERT)',
  })
  await Promise.all([trusting.close(), wary.close()])
})

test('no more than the allowed number is in flight to an origin; one given up while waiting was never sent', async () => {
  const held: (() => void)[] = []
  const { promise: isFull, resolve: full } = Promise.withResolvers<void>()
  await using server = await startHttpServer((response) => {
    if (server.received.length > 2) response.end()
    else if (held.push(() => response.end()) === 2) full()
  })
  const provider = createWebhookProvider({ ...local, timeoutMs: 10_000, maxInFlightPerOrigin: 2 }, systemClock)
  const message = testMessage('webhook', { address: server.url })
  const sending = [provider.send(message, never), provider.send(message, never)]
  await isFull
  const waiting = provider.send(message, never)
  // The server would answer it at once, had it a connection.
  assert.deepEqual(await provider.send(message, AbortSignal.timeout(100)), {
    kind: 'rejected',
    reason: 'transient',
    retryable: true,
    detail: 'not sent (stopped)',
  })
  assert.equal(server.received.length, 2)
  for (const release of held) release()
  for (const outcome of await Promise.all([...sending, waiting])) assert.equal(outcome.kind, 'accepted')
  await provider.close()
  assert.equal(server.received.length, 3)
})
