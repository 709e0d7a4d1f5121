import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { deliveryId } from '../../src/domain/ids.ts'
import { feedStart } from '../../src/domain/status-event.ts'
import { endpointAddress, statusWebhookIntent } from '../../src/domain/status-webhook.ts'
import { acceptIntents } from '../../src/pipeline/accept/accept-intents.ts'
import { createFeedEncoder } from '../../src/pipeline/stream/feed-encoder.ts'
import { readEvents } from '../../src/pipeline/stream/read-events.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { inTransaction } from '../../src/platform/db.ts'
import { createLeaderLock } from '../../src/platform/leader-lock.ts'
import {
  createWebhookEndpoint,
  deleteWebhookEndpoint,
  updateWebhookEndpoint,
} from '../../src/store/webhook-endpoints.ts'
import {
  type StatusWebhooks,
  type StatusWebhooksDeps,
  type StatusWebhooksFailure,
  startStatusWebhooks,
  statusWebhooksLane,
} from '../../src/workers/status-webhooks.ts'
import { appendEvents, newNotification } from '../pipeline/stream/append-events.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const logger = pino({ level: 'silent' })
const lanes: StatusWebhooks[] = []
const children: ChildProcess[] = []

beforeEach(async () => {
  await world.admin.query(
    `delete from carillon.feed_cursors; delete from carillon.status_log; delete from carillon.webhook_endpoints;
     delete from carillon.intents; delete from carillon.notifications`,
  )
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(lanes.splice(0).map((lane) => lane.stop()))
})

function start(over: Partial<StatusWebhooksDeps> = {}) {
  const failed: StatusWebhooksFailure[] = []
  const lane = startStatusWebhooks({
    pool: world.worker,
    leaderLock: createLeaderLock({ databaseUrl: world.url, retryMs: 50, logger }),
    clock: systemClock,
    ids: world.ids,
    wake: { on: () => () => {}, ring: () => {} },
    backlog: { ageMs: () => 0 },
    keyTtlMs: 86_400_000,
    chunkSize: 500,
    idlePollMs: 20,
    lookMs: 50,
    metrics: { accepted: () => {}, failed: (reason) => failed.push(reason) },
    logger,
    ...over,
  })
  lanes.push(lane)
  return { lane, failed }
}

let urls = 0
async function subscribe(eventTypes: string[], { tenantId = world.tenant, enabled = true } = {}): Promise<string> {
  const id = world.ids.id()
  const made = await inTransaction(world.api, async (trx) => {
    await trx.query(`select set_config('carillon.tenant_id', $1, true)`, [tenantId])
    const endpoint = {
      id,
      url: `https://example.com/${urls++}`,
      secret: 'whsec_',
      eventTypes,
      enabled,
      now: new Date(),
    }
    return createWebhookEndpoint(trx, tenantId, endpoint, 20)
  })
  assert.ok(typeof made === 'object')
  return id
}

const event = (
  over: { tenantId?: string; type?: string; subjectId?: string; data?: Record<string, unknown> } = {},
) => ({
  tenantId: world.tenant,
  subjectId: newNotification(),
  data: { recipient_id: 'ann' },
  ...over,
})

interface Told {
  event_id: string
  type: string
  tenant_id: string
  endpoint: string
  data: Record<string, unknown>
  [column: string]: unknown
}

const told = () =>
  world.rows<Told>(
    `select event_id, type, tenant_id, payload #>> '{recipients,0,webhookEndpointId}' as endpoint, payload -> 'data' as data
     from carillon.intents where source = 'system' order by event_id`,
  )
const toldTo = async (endpoint: string) =>
  (await told()).filter((one) => one.endpoint === endpoint).map((one) => one.event_id)
const cursor = async () =>
  (
    await world.rows('select xid::text, id, enabled from carillon.feed_cursors where lane = $1', [statusWebhooksLane])
  )[0]

test('each endpoint is told of the events of its tenant that its patterns cover, and of no others', async () => {
  const all = await subscribe(['notification.*'])
  const failures = await subscribe(['notification.*.failed', 'notification.dead_lettered'])
  const foreign = await subscribe(['*'], { tenantId: world.otherTenant })
  start()
  const [sent, failed, dead] = await appendEvents(world.admin, [
    event(),
    event({ type: 'notification.sms.failed' }),
    event({ type: 'notification.dead_lettered' }),
  ])
  const [other] = await appendEvents(world.admin, [event({ tenantId: world.otherTenant })])
  await eventually(async () => assert.equal((await told()).length, 6))
  assert.deepEqual(await toldTo(all), [sent, failed, dead])
  assert.deepEqual(await toldTo(failures), [failed, dead])
  assert.deepEqual(await toldTo(foreign), [other])
  assert.ok((await told()).every((one) => (one.tenant_id === world.tenant) === (one.endpoint !== foreign)))
})

test('what an endpoint is told has the data of the event, its ids and its place, and no address', async () => {
  await subscribe(['notification.email.*'])
  start()
  const notification = newNotification()
  const subjectId = deliveryId(notification, 'email')
  const data = { recipient_id: 'ann', attempt: 2, correlation_id: 'c-1' }
  const [id] = await appendEvents(world.admin, [event({ subjectId, data })])
  const [one] = await eventually(async () => {
    const rows = await told()
    assert.equal(rows.length, 1)
    return rows
  })
  const events = await inTransaction(world.worker, (trx) => readEvents(trx, feedStart, 1_000))
  const [message] = await createFeedEncoder({ topicPrefix: '' }).encode(events.events.filter((each) => each.id === id))
  assert.deepEqual(one!.data, JSON.parse(String(message!.value)), 'what Kafka gets')
  assert.match(String(one!.data.sequence), new RegExp(`^\\d{20}-${id}$`))
  assert.equal(one!.data.recipient_id, 'ann')
  assert.equal(one!.data.delivery_id, subjectId)
})

test('a subscription begins with its creation, and with a return to use', async () => {
  await appendEvents(world.admin, [event()])
  const endpoint = await subscribe(['*'])
  const [second] = await appendEvents(world.admin, [event()])
  start()
  await eventually(async () => assert.deepEqual(await toldTo(endpoint), [second]))

  const change = (enabled: boolean) =>
    inTransaction(world.worker, (trx) =>
      updateWebhookEndpoint(trx, world.tenant, endpoint, { enabled, now: new Date() }, 20),
    )
  await change(false)
  await appendEvents(world.admin, [event()])
  await change(true)
  const [fourth] = await appendEvents(world.admin, [event()])
  await eventually(async () => assert.deepEqual(await toldTo(endpoint), [second, fourth]))
})

test('what an open transaction had written before a subscription, and commits after it, is told', async () => {
  const slow = await world.admin.connect()
  await slow.query('begin')
  const [early] = await appendEvents(slow, [event()])
  const [committed] = await appendEvents(world.admin, [event()])
  const endpoint = await subscribe(['*'])
  const [later] = await appendEvents(world.admin, [event()])
  start()
  const [last] = await appendEvents(slow, [event()])
  await slow.query('commit')
  slow.release()
  await eventually(async () => assert.deepEqual(await toldTo(endpoint), [early, later, last].sort()))
  assert.ok(!(await toldTo(endpoint)).includes(committed!))
})

test('without a subscription the lane is off; one that is made while it was off misses nothing', async () => {
  const first = start()
  const endpoint = await subscribe(['*'])
  await eventually(() => assert.equal(first.lane.state(), 'leading'))
  assert.equal((await cursor())?.enabled, true)
  await inTransaction(world.worker, (trx) => deleteWebhookEndpoint(trx, world.tenant, endpoint))
  await eventually(async () => assert.equal((await cursor())?.enabled, false))
  await eventually(() => assert.equal(first.lane.state(), 'off'))
  await first.lane.stop()

  await appendEvents(world.admin, [event()])
  const next = await subscribe(['*'])
  const ids = await appendEvents(world.admin, [event(), event()])
  start()
  await eventually(async () => assert.deepEqual(await toldTo(next), ids))
})

test('a subscription that went while nobody led holds up no retention', async () => {
  const first = start()
  const endpoint = await subscribe(['*'])
  await eventually(() => assert.equal(first.lane.state(), 'leading'))
  await first.lane.stop()
  await inTransaction(world.worker, (trx) => deleteWebhookEndpoint(trx, world.tenant, endpoint))
  assert.equal((await cursor())?.enabled, true)
  start()
  await eventually(async () => assert.equal((await cursor())?.enabled, false))
})

test('events about status webhooks are told to nobody, whatever they are', async () => {
  const endpoint = await subscribe(['*'])
  start()
  const tell = { id: world.ids.id(), type: 'notification.email.sent', at: new Date(), data: {} }
  const [own] = (
    await acceptIntents(
      world.api,
      [statusWebhookIntent(world.tenant, endpoint, tell)],
      world.ids,
      new Date(),
      86_400_000,
    )
  ).answers
  const notification = `${own!.intentId.slice(0, 28)}00000100`
  const about = { recipient_id: endpointAddress(endpoint) }
  await appendEvents(world.admin, [
    event({ subjectId: deliveryId(notification, 'webhook'), type: 'notification.webhook.sent', data: about }),
    event({
      subjectId: deliveryId(notification, 'webhook'),
      type: 'notification.replayed',
      data: { channel: 'webhook' },
    }),
    event({ subjectId: notification, type: 'notification.cancelled', data: about }),
    event({ subjectId: own!.intentId, type: 'notification.intent.failed', data: { reason: 'processing_failed' } }),
  ])
  const [last, forged] = await appendEvents(world.admin, [
    event(),
    event({ type: 'notification.webhook.sent', data: about }), // of a recipient who only bears such a name
  ])
  await eventually(async () => assert.deepEqual((await toldTo(endpoint)).slice(1), [last, forged].sort()))
  assert.equal((await told()).length, 3, 'the one that was accepted by hand, and two')
})

test('an event that JSON can say and Postgres cannot hold does not stop the others', async () => {
  const endpoint = await subscribe(['*'])
  start()
  const [odd, subjectId] = [world.ids.batchId(), newNotification()]
  await world.admin.query(
    `insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events) values ($1, $2, now(), 1, $3, $3, $4)`,
    [
      world.tenant,
      odd,
      subjectId,
      JSON.stringify(
        [event({ subjectId, data: { recipient_id: 'ann', reason: 'a\u0000b' } })].map(({ data }) => ({
          subject_id: subjectId,
          type: 'notification.email.sent',
          data,
        })),
      ),
    ],
  )
  const [fine] = await appendEvents(world.admin, [event()])
  await eventually(async () => assert.deepEqual(await toldTo(endpoint), [odd, fine]))
  assert.equal((await told())[0]!.data.data_omitted, true)
})

test('while planning does not keep up, events wait in the log', async () => {
  let ageMs = 60_000
  let looks = 0
  const endpoint = await subscribe(['*'])
  const backlog = {
    ageMs() {
      looks++
      return ageMs
    },
  }
  await appendEvents(
    world.admin,
    Array.from({ length: 20 }, () => event()),
  )
  start({ backlog, pageEvents: 1 })
  await eventually(() => assert.ok(looks > 3))
  assert.ok((await toldTo(endpoint)).length <= 1)
  ageMs = 0
  await eventually(async () => assert.equal((await toldTo(endpoint)).length, 20))
})

test('a cursor that another process has moved is noticed, and nothing is told twice', async () => {
  const endpoint = await subscribe(['*'])
  // A lock that locks nothing: two lead at once.
  const everybody = { acquire: async () => ({ lost: new AbortController().signal, release: async () => {} }) }
  const [one, other] = [
    start({ leaderLock: everybody, pageEvents: 3 }),
    start({ leaderLock: everybody, pageEvents: 3 }),
  ]
  const ids: string[] = []
  for (let round = 0; round < 20; round++) {
    ids.push(
      ...(await appendEvents(
        world.admin,
        Array.from({ length: 10 }, () => event()),
      )),
    )
  }
  await eventually(async () => assert.ok((await toldTo(endpoint)).length >= ids.length), { timeoutMs: 30_000 })
  assert.deepEqual(await toldTo(endpoint), ids.sort())
  assert.ok([...one.failed, ...other.failed].every((reason) => reason === 'cursor_moved'))
})

test('of another database it refuses the cursor and goes no further', async () => {
  await subscribe(['*'])
  await world.admin.query(
    `insert into carillon.feed_cursors (lane, system_identifier, xid, id, enabled, updated_at) values ($1, 'another', '5', $2, true, now())`,
    [statusWebhooksLane, world.ids.id()],
  )
  const { failed } = start()
  await eventually(() => assert.ok(failed.includes('other_database')))
  await appendEvents(world.admin, [event()])
  assert.deepEqual(await told(), [])
  // A person deletes the row: it goes on, and subscriptions of a later time begin anew.
  await world.admin.query(`update carillon.webhook_endpoints set since = '900000000000:900000000000:'`)
  await world.admin.query('delete from carillon.feed_cursors')
  await eventually(async () => assert.equal((await cursor())?.enabled, true))
  const [id] = await appendEvents(world.admin, [event()])
  await eventually(async () =>
    assert.deepEqual(
      (await told()).map((one) => one.event_id),
      [id],
    ),
  )
})

function spawnLane(): ChildProcess & { accepted: Promise<void> } {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./status-webhooks-process.ts', import.meta.url)), world.url],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  const accepted = Promise.withResolvers<void>()
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (line.startsWith('accepted')) accepted.resolve()
  })
  return Object.assign(child, { accepted: accepted.promise })
}

test('what it accepts is planned by its own process once it is committed, and what was not gives its room back', async () => {
  const endpoint = await subscribe(['*'])
  let [room, planned] = [0, 0]
  const planner: StatusWebhooksDeps['planner'] = {
    reserve: (_lane, _tenant, count) => {
      room += count
      return true
    },
    release: (_lane, _tenant, count) => {
      room -= count
    },
    plan: (_lane, { intents }) => {
      planned += intents.length
      room -= intents.length
    },
  }
  const everybody = { acquire: async () => ({ lost: new AbortController().signal, release: async () => {} }) }
  const over = { leaderLock: everybody, pageEvents: 2, planner }
  const both = [start(over), start(over)]
  for (let round = 0; round < 20; round++) await appendEvents(world.admin, [event(), event(), event()])
  await eventually(async () => assert.equal((await toldTo(endpoint)).length, 60))
  await Promise.all(both.map(({ lane }) => lane.stop()))
  assert.deepEqual([room, planned], [0, 60])
})

test('killed again and again and taken over, every endpoint is told of every event once', {
  timeout: 60_000,
}, async () => {
  const endpoints = [await subscribe(['*']), await subscribe(['notification.email.*'])]
  const ids: string[] = []
  let writing = true
  const writer = (async () => {
    while (writing) {
      ids.push(
        ...(await appendEvents(
          world.admin,
          Array.from({ length: 5 }, () => event()),
        )),
      )
      await new Promise((resolve) => setTimeout(resolve, 10)) // a flow, and no flood: the lane has to be killed in it, not outrun
    }
  })()
  let next = spawnLane()
  for (let kill = 0; kill < 4; kill++) {
    const leading = next
    await leading.accepted
    next = spawnLane() // stands by
    leading.kill('SIGKILL')
    await once(leading, 'exit')
  }
  await next.accepted
  writing = false
  await writer
  await eventually(async () => assert.ok((await toldTo(endpoints[0]!)).length >= ids.length), { timeoutMs: 30_000 })
  for (const endpoint of endpoints) {
    await eventually(async () => assert.deepEqual(await toldTo(endpoint), [...ids].sort()))
  }
})
