import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isNotificationId, notificationId } from '../../src/domain/ids.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'

const world = await createApiWorld()

const bulkMutation = `mutation ($inputs: [SendNotificationInput!]!) {
  sendNotifications(inputs: $inputs) { intentId status error { code message path } notifications { id status recipientId subject } }
}`

async function countIntents(key: string): Promise<number> {
  const [row] = await world.rows<{ count: number }>(
    'select count(*)::int from carillon.intents where idempotency_key = $1',
    [key],
  )
  return row!.count
}

describe('sendNotification', () => {
  it('answers with the notification after the commit, before it is planned', async () => {
    const { sendNotification } = await world.data(sendMutation, { input: anInput({ idempotencyKey: 'first' }) })
    assert.ok(isNotificationId(sendNotification.id))
    assert.equal(sendNotification.status, 'PENDING')
    assert.equal(sendNotification.recipientId, 'user-42')
    assert.equal(sendNotification.priority, 'NORMAL')
    assert.deepEqual(sendNotification.channels, ['EMAIL'])
    assert.equal(await countIntents('first'), 1)
    const { notification } = await world.data(
      `query ($id: ID!) { notification(id: $id) { id intentId status recipientId subject body scheduledAt createdAt traceId channels priority } }`,
      { id: sendNotification.id },
    )
    assert.deepEqual(notification, sendNotification)
  })

  it('says the same once it is planned, but for the status', async () => {
    const input = anInput()
    const { sendNotification: before } = await world.data(sendMutation, { input })
    const [row] = await world.rows<{ id: string }>('select id from carillon.intents where id = $1', [before.intentId])
    const { processIntents } = await import('../../src/workers/process-intents.ts')
    await processIntents({ tenant_id: world.tenant, ids: [row!.id] }, world.planning)
    const { notification } = await world.data(
      `query ($id: ID!) { notification(id: $id) { id intentId status recipientId subject body scheduledAt createdAt traceId channels priority
         deliveries { channel status attempts { attemptNumber } } } }`,
      { id: before.id },
    )
    const { deliveries, ...after } = notification
    assert.deepEqual({ ...after, scheduledAt: '' }, { ...before, scheduledAt: '', status: 'QUEUED' })
    assert.deepEqual(deliveries, [{ channel: 'EMAIL', status: 'QUEUED', attempts: [] }])
  })

  it('is SCHEDULED when its moment has not come', async () => {
    const scheduledAt = new Date(world.clock.now().getTime() + 3_600_000).toISOString()
    const { sendNotification } = await world.data(sendMutation, { input: anInput({ scheduledAt }) })
    assert.equal(sendNotification.status, 'SCHEDULED')
    assert.equal(sendNotification.scheduledAt, scheduledAt)
  })

  it('stores what carillon.notify would store', async () => {
    const input = anInput({
      recipient: { email: 'bo@example.com', name: 'Bo', locale: 'de', timezone: 'Europe/Berlin' },
      channels: ['EMAIL', 'IN_APP'],
      fallbackChannels: ['SMS'],
      priority: 'CRITICAL',
      data: { order: 'A-1' },
      email: { cc: ['cc@example.com'], attachments: [{ filename: 'a.txt', contentBase64: 'aGk=' }] },
    })
    const { sendNotification } = await world.data(sendMutation, { input })
    const [row] = await world.rows('select priority, source, payload from carillon.intents where id = $1', [
      sendNotification.intentId,
    ])
    assert.deepEqual(row, {
      priority: 3,
      source: 'graphql',
      payload: {
        recipients: [{ type: 'user', email: 'bo@example.com', name: 'Bo', locale: 'de', timezone: 'Europe/Berlin' }],
        channels: ['email', 'in_app'],
        fallbackChannels: ['sms'],
        subject: 'Shipped',
        body: 'Your order is on its way.',
        email: { cc: ['cc@example.com'], attachments: [{ filename: 'a.txt', contentBase64: 'aGk=' }] },
        data: { order: 'A-1' },
        metadata: {},
      },
    })
  })

  it('takes the trace from the header where the input has none, and ignores malformed ones', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c'
    const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` }
    const own = '1af7651916cd43dd8448eb211c80319c'
    const cases: [object, string | null][] = [
      [{}, traceId],
      [{ traceparent: `00-${own}-b7ad6b7169203331-01` }, own],
      [{ traceparent: 'nonsense' }, traceId],
    ]
    for (const [changes, expected] of cases) {
      const { data } = await world.ask(sendMutation, { input: anInput(changes) }, { headers })
      assert.equal(data.sendNotification.traceId, expected)
    }
    const { data } = await world.ask(sendMutation, { input: anInput() }, { headers: { traceparent: '00-0-0-0' } })
    assert.equal(data.sendNotification.traceId, null)
  })
})

describe('idempotency', () => {
  it('fifty requests at once with one key are one intent, and all get the same answer', async () => {
    const input = anInput({ idempotencyKey: 'fifty' })
    const answers = await Promise.all(Array.from({ length: 50 }, () => world.data(sendMutation, { input })))
    assert.equal(new Set(answers.map(({ sendNotification }) => sendNotification.id)).size, 1)
    assert.equal(await countIntents('fifty'), 1)
  })

  it('the same key with other content is a conflict, and names the field', async () => {
    await world.data(sendMutation, { input: anInput({ idempotencyKey: 'taken' }) })
    const input = anInput({ idempotencyKey: 'taken', subject: 'Another' })
    const { extensions } = await world.error(sendMutation, { input })
    assert.equal(extensions.code, 'IDEMPOTENCY_CONFLICT')
    assert.deepEqual(extensions.path, ['input', 'idempotencyKey'])
  })

  it('one key in two tenants is two intents', async () => {
    const input = anInput({ idempotencyKey: 'shared' })
    await world.data(sendMutation, { input })
    await world.data(sendMutation, { input }, { key: world.otherKey })
    assert.equal(await countIntents('shared'), 2)
  })
})

describe('sendNotifications', () => {
  it('answers each input by itself, in order, with one submit', async () => {
    await world.data(sendMutation, { input: anInput({ idempotencyKey: 'bulk-taken' }) })
    const inputs = [
      anInput(),
      anInput({ recipient: { email: 'nonsense' } }),
      anInput({ idempotencyKey: 'bulk-taken' }),
      anInput({ idempotencyKey: 'bulk-taken', body: 'Another' }),
      anInput({ recipient: undefined, recipients: [{ id: 'a' }, { id: 'b' }] }),
      anInput({ scheduledAt: 'tomorrow' }),
    ]
    const before = world.submits()
    const { sendNotifications } = await world.data(bulkMutation, { inputs })
    assert.equal(world.submits() - before, 1)
    assert.deepEqual(
      // biome-ignore lint/suspicious/noExplicitAny: the shape of the query above
      sendNotifications.map((one: any) => [one.status, one.error?.code, one.error?.path, one.notifications.length]),
      [
        ['ACCEPTED', undefined, undefined, 1],
        ['REJECTED', 'VALIDATION_FAILED', ['inputs', '1', 'recipient', 'email'], 0],
        ['DUPLICATE', undefined, undefined, 1],
        ['REJECTED', 'IDEMPOTENCY_CONFLICT', ['inputs', '3', 'idempotencyKey'], 0],
        ['ACCEPTED', undefined, undefined, 2],
        ['REJECTED', 'VALIDATION_FAILED', ['inputs', '5', 'scheduledAt'], 0],
      ],
    )
    const [first, second] = sendNotifications[4].notifications
    assert.deepEqual([first.recipientId, second.recipientId], ['a', 'b'])
    assert.equal(second.id, notificationId(sendNotifications[4].intentId, 2))
  })

  it('takes a thousand, and not one more', async () => {
    const inputs = Array.from({ length: 1_000 }, (_one, index) => anInput({ recipient: { id: `bulk-${index}` } }))
    const { sendNotifications } = await world.data(bulkMutation, { inputs })
    assert.ok(sendNotifications.every((one: { status: string }) => one.status === 'ACCEPTED'))
    const { extensions } = await world.error(bulkMutation, { inputs: [...inputs, anInput()] })
    assert.equal(extensions.code, 'BAD_USER_INPUT')
  })
})

describe('publishEvent', () => {
  const mutation = `mutation ($input: EventInput!) { publishEvent(input: $input) { intentId status notifications { id } error { code path } } }`

  it('takes the id as the key, and the domain from the type', async () => {
    const input = { id: 'evt-1', type: 'commerce.order.shipped', source: 'shop', data: { order: 'A-1' } }
    const { publishEvent } = await world.data(mutation, { input })
    assert.deepEqual(
      { ...publishEvent, intentId: '' },
      { intentId: '', status: 'ACCEPTED', notifications: [], error: null },
    )
    const [row] = await world.rows(
      'select kind, event_id, idempotency_key, payload from carillon.intents where id = $1',
      [publishEvent.intentId],
    )
    assert.deepEqual(row, {
      kind: 'event',
      event_id: 'evt-1',
      idempotency_key: 'evt-1',
      payload: { data: { order: 'A-1' }, metadata: {}, event: { domain: 'commerce', source: 'shop' } },
    })
    const again = await world.data(mutation, { input })
    assert.equal(again.publishEvent.status, 'DUPLICATE')
    assert.equal(again.publishEvent.intentId, publishEvent.intentId)
  })

  it('rejects on the result, and names the field', async () => {
    const { publishEvent } = await world.data(mutation, { input: { id: '', type: 'a', data: {} } })
    assert.deepEqual(publishEvent.error, { code: 'VALIDATION_FAILED', path: ['input', 'id'] })
    const answer = await world.data(
      `mutation ($inputs: [EventInput!]!) { publishEvents(inputs: $inputs) { status error { path } } }`,
      {
        inputs: [
          { id: 'evt-2', type: 'a.b', data: [] },
          { id: 'evt-3', type: 'a.b', data: {} },
        ],
      },
    )
    assert.deepEqual(answer.publishEvents, [
      { status: 'REJECTED', error: { path: ['inputs', '0', 'data'] } },
      { status: 'ACCEPTED', error: null },
    ])
  })
})
