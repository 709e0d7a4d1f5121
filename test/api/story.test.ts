import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deliveryId, intentIdOf } from '../../src/domain/ids.ts'
import type { AttemptOutcome } from '../../src/domain/outcome.ts'
import { createSlots } from '../../src/pipeline/send/slots.ts'
import { createSettling, type DeliverDeps, deliver } from '../../src/workers/deliver.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'
import { overWebSocket } from './subscribe.ts'

const world = await createApiWorld()

/** The workers' own code, with one provider that answers as a test says. */
function workersWith(outcome: AttemptOutcome): DeliverDeps {
  const slots = createSlots(10)
  return {
    pool: world.worker,
    clock: world.clock,
    catalogue: world.planning.catalogue,
    send: {
      providers: new Map([['email', { name: 'a-provider', send: async () => outcome }]]),
      slots: () => slots,
      now: () => world.clock.now(),
      stopping: new AbortController().signal,
      cutOff: new AbortController().signal,
    },
    settling: createSettling({
      pool: world.worker,
      clock: world.clock,
      ids: world.ids,
      settle: { policyOf: () => ({ delaysMs: [60_000], jitter: 0 }), random: () => 0.5 },
      flush: { rows: 100, ms: 1, maxInFlight: 2, worthOwn: 1 },
      onSettled: () => {},
    }),
  }
}

async function plan(id: string): Promise<void> {
  await processIntents({ tenant_id: world.tenant, ids: [intentIdOf(id)] }, world.planning)
}

const work = (id: string, channel: 'email' | 'in_app', workers: DeliverDeps) =>
  deliver({ tenant_id: world.tenant, ids: [deliveryId(id, channel)], tries: 0 }, workers)

const storyQuery = `query ($id: ID!) { notification(id: $id) {
  status subject body readAt retryCount nextRetryAt error selectedChannel sentAt template { name version }
  deliveries { channel status attempts { attemptNumber provider status error } } deliveryAttempts { channel }
} }`
const storyOf = async (id: string) => (await world.data(storyQuery, { id })).notification

describe('a notification, from the request to the inbox', () => {
  it('that waits tells until when, and no longer once it is cancelled', async () => {
    const until = new Date(world.clock.now().getTime() + 3_600_000).toISOString()
    const input = anInput({ recipient: { email: 'ann@example.com' }, channels: ['EMAIL'], schedule: { delay: 3600 } })
    const { sendNotification } = await world.data(sendMutation, { input })
    await plan(sendNotification.id)
    const query =
      'query ($id: ID!) { notification(id: $id) { status error deliveries { channel status reason until } } }'
    const shown = async () => (await world.data(query, { id: sendNotification.id })).notification
    const waiting = { channel: 'EMAIL', status: 'SCHEDULED', reason: 'scheduled', until }
    const { error, deliveries } = await shown()
    assert.deepEqual([error, deliveries[0]], [null, waiting])
    await world.data('mutation ($id: ID!) { cancelNotification(id: $id) }', { id: sendNotification.id })
    const ended = await shown()
    assert.equal(ended.error, 'cancelled')
    assert.deepEqual(ended.deliveries[0], { ...waiting, status: 'CANCELLED', reason: 'cancelled', until: null })
  })

  it('of a template is shown as it was rendered, in the feed and in the inbox, and can be read', async () => {
    await world.admin.query(
      `insert into carillon.templates (tenant_id, id, name, version, channels, created_at, updated_at) values ($1, $2, 'hello', '1',
         '{"in_app": {"title": "Hello, <%= it.data?.name ?? it.name %>", "body": "Welcome"}}', now(), now())`,
      [world.tenant, world.ids.id()],
    )
    const live = await overWebSocket(
      world,
      `subscription { notificationReceived(userId: "ann") { id subject body status template { name } cursor } }`,
      {},
    )
    const next = live.take(1)
    const input = anInput({
      recipient: { id: 'ann' },
      channels: ['IN_APP'],
      subject: undefined,
      body: undefined,
      template: 'hello',
      data: { name: 'Ann' },
    })
    const { sendNotification } = await world.data(sendMutation, { input })
    assert.equal(sendNotification.subject, null) // it is not rendered yet
    await plan(sendNotification.id)
    await work(sendNotification.id, 'in_app', workersWith({ kind: 'accepted' }))
    const [{ notificationReceived: item }] = await next
    await live.stop()
    assert.equal(item.id, sendNotification.id)
    assert.equal(item.subject, 'Hello, Ann')
    assert.equal(item.body, 'Welcome')
    assert.deepEqual(item.template, { name: 'hello' })
    assert.ok(['SENT', 'DELIVERED'].includes(item.status))
    const counters = `{ inboxCounters(userId: "ann") { unread unseen } inbox(userId: "ann") { nodes { id cursor } } }`
    const before = await world.data(counters)
    assert.deepEqual(before.inboxCounters, { unread: 1, unseen: 1 })
    assert.deepEqual(before.inbox.nodes, [{ id: item.id, cursor: item.cursor }])
    await world.data(`mutation ($id: ID!) { markNotificationRead(id: $id) { id } }`, { id: item.id })
    assert.deepEqual((await world.data(counters)).inboxCounters, { unread: 0, unseen: 0 })
    assert.equal((await storyOf(item.id)).readAt, world.clock.now().toISOString())
  })

  it('tells of a failed attempt, when the next one is, and how it ended', async () => {
    const { sendNotification } = await world.data(sendMutation, { input: anInput() })
    const { id } = sendNotification
    await plan(id)
    const refusal = { kind: 'rejected', reason: 'transient', retryable: true, detail: 'try later' } as const
    await work(id, 'email', workersWith(refusal))
    const retrying = await storyOf(id)
    assert.equal(retrying.status, 'RETRYING')
    assert.equal(retrying.error, 'transient: try later')
    assert.equal(retrying.retryCount, 0)
    assert.equal(retrying.nextRetryAt, new Date(world.clock.now().getTime() + 60_000).toISOString())
    world.clock.advance(61_000)
    await work(id, 'email', workersWith(refusal))
    const failed = await storyOf(id)
    assert.equal(failed.status, 'FAILED')
    assert.equal(failed.retryCount, 1)
    assert.equal(failed.nextRetryAt, null)
    assert.deepEqual(
      failed.deliveries[0].attempts.map((attempt: { attemptNumber: number; status: string }) => [
        attempt.attemptNumber,
        attempt.status,
      ]),
      [
        [1, 'rejected'],
        [2, 'rejected'],
      ],
    )
    const { deadLetters } = await world.data(`{ deadLetters { nodes { notificationId reason attempts } } }`)
    assert.deepEqual(deadLetters.nodes, [{ notificationId: id, reason: 'transient', attempts: 2 }])
  })

  it('that was sent says when, and by which channel', async () => {
    const { sendNotification } = await world.data(sendMutation, { input: anInput() })
    await plan(sendNotification.id)
    await work(sendNotification.id, 'email', workersWith({ kind: 'accepted', providerMessageId: 'p-1' }))
    const story = await storyOf(sendNotification.id)
    assert.equal(story.status, 'SENT')
    assert.equal(story.selectedChannel, 'EMAIL')
    assert.equal(story.sentAt, world.clock.now().toISOString())
    assert.equal(story.error, null)
    assert.deepEqual(story.deliveries[0].attempts, [
      { attemptNumber: 1, provider: 'a-provider', status: 'accepted', error: null },
    ])
  })
})
