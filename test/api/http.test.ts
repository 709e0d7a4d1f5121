import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { WebSocket } from 'ws'
import { eventually } from '../support/eventually.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'
import { overSse, overWebSocket } from './subscribe.ts'

const readiness = { ok: true, checks: { database: { ok: true } } as Record<string, { ok: boolean; detail?: string }> }
const world = await createApiWorld({
  env: { API_MAX_BODY_BYTES: '20000', GRAPHQL_MAX_DEPTH: '5', GRAPHQL_MAX_ALIASES: '3', GRAPHQL_MAX_COST: '1000' },
  readiness: async () => readiness,
})

const typename = '{ __typename }'

describe('a request', () => {
  const send = (body: string, headers: Record<string, string>, method = 'POST') =>
    fetch(`${world.url}/graphql`, {
      method,
      body: method === 'GET' ? undefined : body,
      headers: { authorization: `Bearer ${world.key}`, ...headers },
    })

  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    '',
  ]) {
    it(`of the type "${type}" is refused, for a page of another site could send it`, async () => {
      assert.equal((await send(JSON.stringify({ query: typename }), { 'content-type': type })).status, 415)
    })
  }

  for (const [name, body] of [
    ['is no JSON', '{secret-thing'],
    ['has two operations and names none', JSON.stringify({ query: 'query a { __typename } query b { __typename }' })],
  ] as const) {
    it(`that ${name} is BAD_USER_INPUT, and what was sent is not repeated`, async () => {
      const answer = await (await send(body, { 'content-type': 'application/json' })).text()
      assert.equal(JSON.parse(answer).errors[0].extensions.code, 'BAD_USER_INPUT')
      assert.doesNotMatch(answer, /secret-thing|originalError/)
    })
  }

  it('that is too large is 413, with its length announced or not', async () => {
    const body = JSON.stringify({ query: typename, variables: { a: 'a'.repeat(30_000) } })
    const announced = await send(body, { 'content-type': 'application/json' })
    assert.equal(announced.status, 413)
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(body))
        controller.close()
      },
    })
    const chunked = await fetch(`${world.url}/graphql`, {
      method: 'POST',
      body: stream,
      duplex: 'half',
      headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json' },
    } as RequestInit)
    assert.equal(chunked.status, 413)
  })

  it('by GET may query, and never change anything', async () => {
    const get = (query: string) =>
      send('', { accept: 'application/json' }, 'GET').then(() =>
        fetch(`${world.url}/graphql?query=${encodeURIComponent(query)}`, {
          headers: { authorization: `Bearer ${world.key}` },
        }),
      )
    assert.deepEqual(await (await get(typename)).json(), { data: { __typename: 'Query' } })
    assert.equal((await get(`mutation { markAllNotificationsRead(userId: "a") }`)).status, 405)
  })

  const malformed: [name: string, body: string][] = [
    ['no JSON', '{'],
    ['nothing', ''],
    ['a bare value', '1'],
    ['no query', '{}'],
    ['an unknown parameter', '{"query":"{ __typename }","more":1}'],
    ['variables that are a list', '{"query":"{ __typename }","variables":[]}'],
  ]
  for (const [name, body] of malformed) {
    it(`with ${name} is 400, in GraphQL's own shape`, async () => {
      const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' }
      const response = await send(body, headers)
      assert.equal(response.status, 400)
      const answer = (await response.json()) as { errors: { message: string; extensions: object }[] }
      assert.ok(answer.errors[0]!.message)
      assert.ok(!('http' in answer.errors[0]!.extensions))
    })
  }

  it('to subscribe without a stream to answer on is 406', async () => {
    const before = await world.data(sendMutation, { input: anInput() })
    const query = `subscription ($id: ID!) { notificationStatusChanged(notificationId: $id) { id } }`
    assert.equal((await world.post(query, { id: before.sendNotification.id })).status, 406)
    await eventually(async () => {
      assert.match(await world.metrics.metrics(), /carillon_graphql_subscriptions_open 0/)
    })
  })

  it('that breaks off in its middle harms nobody', async () => {
    const raw = connect(Number(new URL(world.url).port), '127.0.0.1')
    raw.write(
      `POST /graphql HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${world.key}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"query`,
    )
    await new Promise((resolve) => setImmediate(resolve))
    raw.destroy()
    assert.equal((await world.post(typename)).status, 200)
    assert.ok(
      !world.log.some((line) => line.includes('a request failed through a fault of ours') && line.includes('aborted')),
    )
  })

  it('of several operations at once is refused', async () => {
    const response = await send(JSON.stringify([{ query: typename }, { query: typename }]), {
      'content-type': 'application/json',
    })
    assert.equal(response.status, 400)
  })

  it('is answered with security headers, and without leave for other origins', async () => {
    const response = await world.post(typename, undefined, { headers: { origin: 'https://evil.example' } })
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
    assert.equal(response.headers.get('access-control-allow-origin'), null)
    assert.match(response.headers.get('content-security-policy')!, /default-src 'none'/)
  })
})

describe('outside GraphQL', () => {
  it('the process is alive, and ready or not with reasons', async () => {
    assert.equal((await fetch(`${world.url}/health/live`)).status, 200)
    assert.equal((await fetch(`${world.url}/health/ready`)).status, 200)
    readiness.ok = false
    readiness.checks.database = { ok: false, detail: 'away' }
    const response = await fetch(`${world.url}/health/ready`)
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const problem = (await response.json()) as { code: string; checks: object }
    assert.equal(problem.code, 'UNAVAILABLE')
    assert.deepEqual(problem.checks, { database: { ok: false, detail: 'away' } })
    readiness.ok = true
  })

  it('what is not there is a problem document', async () => {
    for (const path of ['/nothing', '/graphqlx', '/dev/mailbox']) {
      const response = await fetch(`${world.url}${path}`)
      assert.equal(response.status, 404)
      assert.equal(response.headers.get('content-type'), 'application/problem+json')
    }
  })

  it('the metrics tell of queues, dead letters, partitions and the pool', async () => {
    const now = world.clock.now()
    await world.admin.query(
      `insert into pgboss.job (name, data, start_after) values ('deliver-email-bulk', '{}', $1)`,
      [new Date(now.getTime() - 90_000)],
    )
    await world.admin.query(
      `insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at) values ($1, $2, 'email', 'permanent', 1, now())`,
      [world.tenant, world.ids.id()],
    )
    await world.admin.query(
      `insert into carillon.feed_cursors values ('kafka', 'x', '0', '00000000-0000-0000-0000-000000000000', true, now())`,
    )
    await world.data(sendMutation, { input: anInput() })
    world.clock.advance(3_000)
    const text = await (await fetch(`${world.url}/metrics`)).text()
    assert.match(text, /carillon_queue_oldest_due_seconds\{family="deliver-email",lane="bulk"\} 9\d/)
    assert.match(text, /carillon_dead_letters_open\{channel="email"\} 1/)
    assert.match(text, /carillon_outbox_lag_events\{lane="kafka"\} [1-9]/)
    assert.match(text, /carillon_outbox_lag_seconds\{lane="kafka"\} \d/)
    assert.match(text, /carillon_partitions_ahead_days [67]/)
    assert.match(text, /carillon_api_pool_connections\{state="total"\} [1-9]/)
  })
})

describe('a WebSocket', () => {
  const closedWith = (url: string, init?: object) =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(url, 'graphql-transport-ws')
      socket.on('open', () => init && socket.send(JSON.stringify(init)))
      socket.on('close', (code) => resolve(code))
      socket.on('error', () => {})
    })
  const url = `${world.url.replace('http', 'ws')}/graphql`

  it('without a valid key is closed with 4403, and with 4401 where it asks before it is let in', async () => {
    assert.equal(await closedWith(url, { type: 'connection_init' }), 4403)
    assert.equal(await closedWith(url, { type: 'connection_init', payload: { apiKey: 'nonsense' } }), 4403)
    assert.equal(await closedWith(url, { type: 'subscribe', id: '1', payload: { query: typename } }), 4401)
  })

  it('takes the key of the upgrade, answers a ping, and a query', async () => {
    const socket = new WebSocket(url, 'graphql-transport-ws', { headers: { authorization: `Bearer ${world.key}` } })
    const messages: { type: string; payload?: object }[] = []
    socket.on('message', (text) => messages.push(JSON.parse(String(text))))
    socket.on('open', () => {
      socket.send(JSON.stringify({ type: 'ping' }))
      socket.send(JSON.stringify({ type: 'connection_init' }))
    })
    await eventually(() => assert.ok(messages.some(({ type }) => type === 'connection_ack')))
    assert.ok(messages.some(({ type }) => type === 'pong'))
    socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query: typename } }))
    await eventually(() => assert.ok(messages.some(({ type }) => type === 'complete')))
    assert.deepEqual(messages.find(({ type }) => type === 'next')?.payload, { data: { __typename: 'Query' } })
    socket.close()
  })

  it('has the same limits', async () => {
    const query = `subscription { notificationStatusChanged(notificationId: "a") { a: id b: id c: id d: id } }`
    const live = await overWebSocket(world, query, {})
    assert.equal((await live.next())?.errors?.[0]?.extensions.code, 'TOO_COMPLEX')
    await live.stop()
  })

  it('elsewhere is refused', async () => {
    assert.equal(await closedWith(`${world.url.replace('http', 'ws')}/other`), 1006)
  })
})

describe('a server', () => {
  it('whose port is taken says so with a stable code', async () => {
    const port = new URL(world.url).port
    await assert.rejects(createApiWorld({ env: { PORT: port } }), { code: 'PORT_IN_USE' })
  })

  it('that limits a key answers 429 with Retry-After', async () => {
    const limited = await createApiWorld({ env: { API_RATE_LIMIT: '2' } })
    const responses = await Promise.all(Array.from({ length: 6 }, () => limited.post(typename)))
    const refused = responses.filter(({ status }) => status === 429)
    assert.ok(refused.length >= 3, `${refused.length}`)
    assert.equal(refused[0]!.headers.get('retry-after'), '1')
  })

  it('that stops does not wait longer than it may for a caller that does not go', async () => {
    const stopping = await createApiWorld()
    const raw = connect(Number(new URL(stopping.url).port), '127.0.0.1')
    raw.write(
      'GET /graphql HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n' +
        'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n',
    )
    await once(raw, 'data') // it has been let in, and now says nothing to anything
    const began = performance.now()
    await stopping.server.close(300)
    assert.ok(performance.now() - began < 2_000)
    raw.destroy()
  })

  it('that stops ends subscriptions, answers what is in flight, and takes no more', async () => {
    const stopping = await createApiWorld()
    const { sendNotification } = await stopping.data(sendMutation, { input: anInput() })
    const live = await overSse(
      stopping,
      `subscription ($id: ID!) { notificationStatusChanged(notificationId: $id) { id } }`,
      { id: sendNotification.id },
    )
    await live.take(1)
    const inFlight = Array.from({ length: 10 }, () => stopping.ask(sendMutation, { input: anInput() }))
    await new Promise((resolve) => setImmediate(resolve))
    const began = performance.now()
    await stopping.server.close(5_000)
    assert.ok(performance.now() - began < 4_000)
    assert.equal(await live.next(), undefined)
    for (const answer of await Promise.allSettled(inFlight)) {
      const accepted = answer.status === 'fulfilled' && answer.value.data?.sendNotification
      const refused = answer.status === 'rejected' || answer.value.errors?.[0]?.extensions.code === 'SHUTTING_DOWN'
      assert.ok(accepted || refused)
    }
    await assert.rejects(stopping.post(typename))
  })
})
