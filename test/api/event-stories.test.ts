import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Channel, channels } from '../../src/domain/channel.ts'
import { eventTypeOf } from '../../src/domain/event-types.ts'
import { deliveryId, notificationId } from '../../src/domain/ids.ts'
import type { IntentPayload, NewIntent } from '../../src/domain/intent.ts'
import type { AttemptOutcome } from '../../src/domain/outcome.ts'
import { createSlots } from '../../src/pipeline/send/slots.ts'
import { asTenants } from '../../src/platform/db.ts'
import { createAsked } from '../../src/queue/asked.ts'
import { replayDeadLetters } from '../../src/store/dead-letters.ts'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { createSettling, type DeliverDeps, deliver } from '../../src/workers/deliver.ts'
import { failIntent, processIntents } from '../../src/workers/process-intents.ts'
import { createApiWorld } from './api-world.ts'

const world = await createApiWorld()
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const seen = new Set<string>()
let stories = 0

const newIntent = (payload: Partial<IntentPayload>, fields: Partial<NewIntent> = {}) =>
  world.intent(payload, {
    category: 'news',
    idempotencyKey: `story-${++stories}`,
    correlationId: `c-${stories}`,
    traceparent,
    ...fields,
  })
const plan = async (payload: Partial<IntentPayload>, fields?: Partial<NewIntent>) =>
  (await world.plan([newIntent(payload, fields)]))[0]!
const send = (id: string, outcome: AttemptOutcome) =>
  deliver({ tenant_id: world.tenant, ids: [id], tries: 0 }, worker(outcome))
const permanent: AttemptOutcome = { kind: 'rejected', reason: 'permanent', retryable: false, detail: 'no' }
const transient: AttemptOutcome = { kind: 'rejected', reason: 'transient', retryable: true, detail: 'later' }

/** Every event of a story says whose it is, and nothing that the table of types does not know. */
async function typesOf(intentId: string): Promise<string[]> {
  const events = await world.rows<{ type: string; subject_id: string; data: Record<string, unknown> }>(
    'select type, subject_id, data from carillon.events_of($1)',
    [intentId],
  )
  const story = { idempotency_key: `story-${stories}`, correlation_id: `c-${stories}`, traceparent }
  const ofAll = ['type', 'category', 'recipient_id', ...Object.keys(story)]
  for (const { type, data, subject_id } of events) {
    seen.add(
      type.replace(/(?<=^notification\.)\w+(?=\.\w+$)/, (word) => (channels.includes(word as Channel) ? '*' : word)),
    )
    const { fields = [] } = eventTypeOf(type) ?? {}
    assert.ok(eventTypeOf(type), `${type} is not in the table`)
    assert.deepEqual({ ...story, ...data }, { ...data, ...story }, `${type} does not say whose it is`)
    const unknown = Object.keys(data).filter((name) => !ofAll.includes(name) && !fields.includes(name as 'channel'))
    assert.deepEqual(unknown, [], `${type} says what the table does not know`)
    if (subject_id !== intentId) assert.equal(data.recipient_id, 'ann', `${type} does not say for whom`)
  }
  return events.map(({ type }) => type)
}

test('sent at once', async () => {
  const id = await plan({})
  await send(deliveryId(notificationId(id, 1), 'email'), { kind: 'accepted' })
  assert.deepEqual(await typesOf(id), [
    'notification.intent.received',
    'notification.intent.enriched',
    'notification.email.requested',
    'notification.email.sent',
  ])
})

test('tried again, failed, a fallback released, and the dead letter replayed', async () => {
  const recipients = [{ type: 'user' as const, id: 'ann', email: 'ann@example.com', slackId: 'U1' }]
  const id = await plan({ recipients, channels: ['email'], fallbackChannels: ['slack'] })
  const email = deliveryId(notificationId(id, 1), 'email')
  await send(email, transient)
  await send(email, permanent)
  await decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 })
  await asTenants(world.api, [world.tenant], (trx) =>
    replayDeadLetters(trx, world.tenant, [email], 'ann', world.clock.now()),
  )
  assert.deepEqual((await typesOf(id)).slice(3), [
    'notification.email.retrying',
    'notification.email.failed',
    'notification.dead_lettered',
    'notification.slack.requested',
    'notification.replayed',
  ])
})

test('cancelled before planning, and after it', async () => {
  const [answer] = await world.accept([newIntent({})])
  const cancel = (id: string) => world.data('mutation ($id: ID!) { cancelNotification(id: $id) }', { id })
  await cancel(notificationId(answer!.intentId, 1))
  assert.deepEqual((await typesOf(answer!.intentId)).slice(1), ['notification.cancelled'])
  const id = await plan({})
  await cancel(notificationId(id, 1))
  assert.deepEqual((await typesOf(id)).slice(3), ['notification.email.cancelled', 'notification.cancelled'])
  const whole = await plan({})
  await world.data('mutation ($id: ID!) { cancelIntent(id: $id) }', { id: whole })
  assert.deepEqual((await typesOf(whole)).slice(3), [
    'notification.intent.cancelled',
    'notification.email.cancelled',
    'notification.cancelled',
  ])
})

test('seen, read and put away', async () => {
  const id = await plan({ channels: ['in_app'] })
  await send(deliveryId(notificationId(id, 1), 'in_app'), { kind: 'accepted' })
  for (const name of ['markNotificationSeen', 'markNotificationRead', 'archiveNotification'])
    await world.data(`mutation ($id: ID!) { ${name}(id: $id) { id } }`, { id: notificationId(id, 1) })
  assert.deepEqual((await typesOf(id)).slice(3), [
    'notification.in_app.sent',
    'notification.in_app.seen',
    'notification.in_app.read',
    'notification.in_app.archived',
  ])
  const next = await plan({ channels: ['in_app'] })
  await send(deliveryId(notificationId(next, 1), 'in_app'), { kind: 'accepted' })
  await world.data('mutation { markAllNotificationsRead(userId: "ann") }')
  assert.equal((await typesOf(next)).at(-1), 'notification.in_app.read')
})

test('what leads to no delivery', async () => {
  const expired = await plan({}, { expiresAt: new Date(world.clock.now().getTime() - 1).toISOString() })
  assert.equal((await typesOf(expired)).at(-1), 'notification.expired')
  assert.equal((await typesOf(await plan({ template: 'none' }))).at(-1), 'notification.failed')
  const unreachable = await plan({ recipients: [{ type: 'user', id: 'ann' }] })
  assert.deepEqual((await typesOf(unreachable)).slice(-2), ['notification.suppressed', 'notification.email.suppressed'])
  const unmatched = await plan({ recipients: undefined, channels: undefined }, { kind: 'event', eventId: 'e-1' })
  assert.deepEqual(await typesOf(unmatched), ['notification.intent.received', 'notification.intent.unmatched'])
  const [answer] = await world.accept([newIntent({})])
  await failIntent({ tenant_id: world.tenant, ids: [answer!.intentId] }, new Error('a bug'), world.planning)
  assert.equal((await typesOf(answer!.intentId)).at(-1), 'notification.intent.failed')
})

test('too late to be sent', async () => {
  const expiresAt = new Date(world.clock.now().getTime() + 60_000).toISOString()
  const id = await plan({}, { expiresAt })
  world.clock.advance(120_000)
  await send(deliveryId(notificationId(id, 1), 'email'), { kind: 'accepted' })
  assert.equal((await typesOf(id)).at(-1), 'notification.email.expired')
})

test('asked for in SQL', async () => {
  const [row] = await asTenants(world.api, [world.tenant], (trx) =>
    trx
      .query<{ id: string }>({
        text: `select carillon.notify('order.shipped', '{"id": "ann", "email": "ann@example.com"}', subject => 'a', body => 'b',
          idempotency_key => $1, correlation_id => $2, traceparent => $3, tenant => $4) as id`,
        values: [`story-${++stories}`, `c-${stories}`, traceparent, world.tenant],
      })
      .then(({ rows }) => rows),
  )
  const intentId = `${row!.id.slice(0, 28)}00000000`
  await createAsked({ pool: world.worker, clock: world.clock, lane: 'bulk', chunkSize: 10 }).take(10, [])
  await processIntents({ tenant_id: world.tenant, ids: [intentId] }, world.planning)
  assert.deepEqual(await typesOf(intentId), [
    'notification.intent.received',
    'notification.intent.enriched',
    'notification.email.requested',
  ])
})

// What nothing tells of yet has no story here, and what is told of has one.
after(() => {
  const told = [...seen].sort()
  const known = [...told].filter((type) => eventTypeOf(type.replace('*', 'email'))?.planned)
  assert.deepEqual(known, [], 'the table calls these planned, and they are told of')
})

function worker(outcome: AttemptOutcome): DeliverDeps {
  const slots = createSlots(10)
  const provider = { name: 'scripted', send: async () => outcome }
  const stopping = new AbortController().signal
  return {
    pool: world.worker,
    clock: world.clock,
    catalogue: world.planning.catalogue,
    send: {
      providers: new Map(channels.map((channel) => [channel, provider])),
      slots: () => slots,
      now: () => world.clock.now(),
      stopping,
      cutOff: stopping,
    },
    settling: createSettling({
      pool: world.worker,
      clock: world.clock,
      ids: world.ids,
      settle: { policyOf: () => ({ delaysMs: [60_000], jitter: 0 }), random: () => 0.5 },
      flush: { rows: 10, ms: 1, maxInFlight: 2, worthOwn: 1 },
      onSettled: () => {},
    }),
  }
}
