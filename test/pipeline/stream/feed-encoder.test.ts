import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { channels } from '../../../src/domain/channel.ts'
import { eventTypes, recordOfFamily } from '../../../src/domain/event-types.ts'
import { parseFeedTopics } from '../../../src/domain/feed-layout.ts'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { feedTopics, sequenceOf } from '../../../src/pipeline/stream/cloud-event.ts'
import { createFeedEncoder, type FeedEncoderOptions } from '../../../src/pipeline/stream/feed-encoder.ts'
import { jsonSchema, readSources } from '../../support/feed-schemas.ts'

const tenantId = '0190a1b2-0000-7000-8000-000000000001'
const intent = '0190a1b2-c3d4-7123-8abc-123400000000'
const notification = notificationId(intent, 3)
const delivery = deliveryId(notification, 'in_app')
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const event = (over: Partial<StatusEvent>): StatusEvent => ({
  tenantId,
  subjectId: delivery,
  id: '0190a1b2-c3d5-7123-8abc-1234deadbeef',
  xid: '4711',
  type: 'notification.in_app.delivered',
  at: new Date('2026-01-15T10:00:00.123Z'),
  data: {},
  ...over,
})

async function messageOf(event: StatusEvent, options: Partial<FeedEncoderOptions> = {}) {
  const [message] = await createFeedEncoder({ topicPrefix: '', ...options }).encode([event])
  return { ...message!, body: JSON.parse(String(message!.value)) }
}

const topics: [type: string, topic: string][] = [
  ['notification.intent.received', 'notification.intents'],
  ['notification.intent.enriched', 'notification.intents'],
  ['notification.intent.unmatched', 'notification.intents'],
  ...channels.map((channel): [string, string] => [`notification.${channel}.requested`, `notification.${channel}`]),
  ['notification.email.read', 'notification.email'],
  ['notification.cancelled', 'notification.intents'],
  ['notification.expired', 'notification.intents'],
  ['notification.failed', 'notification.intents'],
  ['notification.suppressed', 'notification.intents'],
  ['notification.digest.closed', 'notification.intents'],
  ['notification.dead_lettered', 'notification.dlq'],
  ['notification.replayed', 'notification.dlq'],
  ['carillon.breaker.opened', 'carillon.system'],
  ['notification.unheard_of.sent', 'carillon.system'],
  ['template.changed', 'carillon.system'],
]
for (const [type, topic] of topics) {
  test(`${type} goes to ${topic}`, async () => {
    assert.equal((await messageOf(event({ type }))).topic, topic)
    assert.ok(feedTopics.includes(topic))
  })
}

test('nothing goes to a topic that was not made', () => {
  assert.deepEqual([...feedTopics].sort(), [...new Set(topics.map(([, topic]) => topic))].sort())
})

const subjects = [
  { of: 'an intent', subjectId: intent, type: 'notification.intent.received', key: intent, ids: { intent_id: intent } },
  {
    of: 'a notification',
    subjectId: notification,
    type: 'notification.cancelled',
    key: notification,
    ids: { intent_id: intent, notification_id: notification },
  },
  {
    of: 'a delivery',
    subjectId: delivery,
    type: 'notification.in_app.sent',
    key: notification,
    ids: { intent_id: intent, notification_id: notification, delivery_id: delivery, channel: 'in_app', attempt: 2 },
  },
]
for (const { of, subjectId, type, key, ids } of subjects) {
  test(`the event of ${of} is keyed by what keeps its order, and its data names its story`, async () => {
    const data = { attempt: 2, type: 'commerce.order.shipped', traceparent, idempotency_key: 'k"1' }
    const message = await messageOf(event({ subjectId, type, data }))
    assert.equal(message.key, key)
    assert.equal(message.headers.ce_partitionkey, key)
    assert.equal(message.headers.ce_subject, subjectId)
    assert.deepEqual(message.body, {
      id: '0190a1b2-c3d5-7123-8abc-1234deadbeef',
      event_type: type,
      schema_version: 1,
      tenant_id: tenantId,
      source: `/carillon/${tenantId}`,
      occurred_at: '2026-01-15T10:00:00.123Z',
      sequence: '00000000000000004711-0190a1b2-c3d5-7123-8abc-1234deadbeef',
      idempotency_key: 'k"1',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      traceparent,
      type: 'commerce.order.shipped',
      ...ids,
    })
  })
}

test('the headers are those of CloudEvents 1.0 in binary mode, with its extensions', async () => {
  const data = { traceparent, correlation_id: 'c-1', idempotency_key: 'k-1' }
  const { headers, topic } = await messageOf(event({ data }), { topicPrefix: 'acme.' })
  assert.equal(topic, 'acme.notification.in_app')
  assert.deepEqual(headers, {
    ce_specversion: '1.0',
    ce_id: '0190a1b2-c3d5-7123-8abc-1234deadbeef',
    ce_source: `/carillon/${tenantId}`,
    ce_type: 'notification.in_app.delivered',
    ce_subject: delivery,
    ce_time: '2026-01-15T10:00:00.123Z',
    'content-type': 'application/json',
    ce_dataschema: 'urn:carillon:feed:1:DeliveryEvent',
    ce_partitionkey: notification,
    ce_sequence: '00000000000000004711-0190a1b2-c3d5-7123-8abc-1234deadbeef',
    ce_tenantid: tenantId,
    ce_traceparent: traceparent,
    ce_correlationid: 'c-1',
    ce_idempotencykey: 'k-1',
  })
  for (const name of Object.keys(headers)) assert.match(name, /^(content-type|ce_[a-z0-9]{1,20})$/)
})

test('what is not there has no header', async () => {
  const { headers } = await messageOf(event({ data: { traceparent: null, correlation_id: 7 } }))
  assert.ok(!('ce_traceparent' in headers) && !('ce_correlationid' in headers) && !('ce_idempotencykey' in headers))
})

test('data cannot pass for the ids of another story', async () => {
  const { body } = await messageOf(event({ data: { tenant_id: 'other', delivery_id: 'other', source: 'sql' } }))
  assert.equal(body.tenant_id, tenantId)
  assert.equal(body.delivery_id, delivery)
  assert.equal(body.source, `/carillon/${tenantId}`)
})

test('sequences sort as text like the log sorts', () => {
  const places = [
    { xid: '9', id: 'b' },
    { xid: '10', id: 'a' },
    { xid: '10', id: 'b' },
    { xid: '18446744073709551615', id: 'a' },
  ]
  const sequences = places.map(sequenceOf)
  assert.deepEqual([...sequences].sort(), sequences)
})

test('data that no broker would take is left out, and says so', async () => {
  const { body, headers } = await messageOf(event({ data: { correlation_id: 'é'.repeat(300_000) } }))
  assert.equal(body.data_omitted, true)
  assert.equal(body.delivery_id, delivery)
  assert.ok(!('ce_correlationid' in headers))
})

test('what the events of a batch share is put together once, and for the right ones', async () => {
  const other = '0190a1b2-0000-7000-8000-000000000002'
  const events = [
    event({}),
    event({ type: 'notification.in_app.sent' }),
    event({ tenantId: other }),
    event({ xid: '4712' }),
    event({ at: new Date('2026-01-15T10:00:00.124Z') }),
    event({}),
  ]
  const messages = await createFeedEncoder({ topicPrefix: '' }).encode(events)
  messages.forEach(({ value, headers }, index) => {
    const body = JSON.parse(String(value))
    const { type, tenantId, at } = events[index]!
    assert.deepEqual([body.event_type, body.tenant_id, body.occurred_at], [type, tenantId, at.toISOString()])
    assert.equal(body.sequence, sequenceOf(events[index]!))
    assert.equal(headers.ce_sequence, body.sequence)
  })
})

const everything = {
  ...{ recipient_id: 'u-1', type: 'order', category: 'c', reason: 'r\n', kind: 'direct', source: 'sql', event_id: 'e' },
  ...{
    recipients: 3,
    notifications: 2,
    stopped: 1,
    continues: true,
    folded: 4,
    code: 'X',
    attempt: 1,
    provider: 'smtp',
  },
  ...{
    possible_duplicate: true,
    fallback: false,
    next_attempt_at: '2026-01-15T10:00:00.123Z',
    machine: true,
    by: 'ann',
  },
  ...{
    channel: 'email',
    template: 't',
    attributes: { limit: 10, of: 'day' },
    idempotency_key: 'k',
    correlation_id: 'c',
    traceparent,
  },
}
const ajv = new Ajv2020()
const sealAll = async (events: readonly StatusEvent[]) =>
  new Map(events.map(({ id }) => [id, { keyId: 'k', ciphertext: 'AAAA' }]))
for (const { schema } of readSources()) {
  const isValid = ajv.compile<unknown>(jsonSchema(schema))
  const mine = eventTypes.filter(({ family }) => recordOfFamily[family] === schema.name)
  test(`the JSON of every event that is a ${schema.name} is what its JSON Schema says, with all data and with none`, async () => {
    for (const { type, channel } of mine) {
      const subjectId = deliveryId(notification, channel ?? 'email')
      for (const data of [everything, {}]) {
        const seal = data === everything ? sealAll : undefined
        const { body } = await messageOf(event({ type, subjectId, data }), { seal })
        const fits: boolean = isValid(body)
        assert.ok(fits, JSON.stringify(isValid.errors))
        const names = schema.fields.map(({ name }) => name)
        assert.deepEqual(
          Object.keys(body),
          names.filter((name) => name in body),
          'in the schema’s order, and no other',
        )
        if (data === everything)
          assert.deepEqual(
            names.filter((name) => !(name in body)),
            ['data_omitted'],
          )
      }
    }
  })
}

test('an event of a type that is not known here loses nothing', async () => {
  const { body } = await messageOf(event({ type: 'notification.email.sneezed', data: { reason: 'dust', times: 3 } }))
  assert.deepEqual([body.event_type, body.subject, body.reason], ['notification.email.sneezed', delivery, 'dust'])
  assert.deepEqual(body.attributes, { times: '3' })
})

const keys = [
  { key: 'notification', expected: notification },
  { key: 'recipient', expected: `${tenantId}/u-1` },
  { key: 'tenant', expected: tenantId },
] as const
for (const { key, expected } of keys) {
  test(`keyed by ${key}`, async () => {
    const message = await messageOf(event({ data: { recipient_id: 'u-1' } }), { key })
    assert.deepEqual([message.key, message.headers.ce_partitionkey], [expected, expected])
  })
}

test('an intent’s events have no recipient, and are keyed by the intent then', async () => {
  const received = event({ type: 'notification.intent.received', subjectId: intent })
  assert.equal((await messageOf(received, { key: 'recipient' })).key, intent)
})

test('an event of the service itself is keyed by what it is about', async () => {
  const subjectId = '0190a1b2-c3d4-7123-8abc-123456789abc'
  assert.equal((await messageOf(event({ type: 'carillon.breaker.opened', subjectId }))).key, subjectId)
})

test('another layout', async () => {
  const templates = parseFeedTopics(
    'delivery=system.notifications.{outcome},dead_letter=dead.{channel},system=carillon.{outcome}',
  )
  const encoder = createFeedEncoder({ topicPrefix: 'p.', templates })
  const goesTo = async (type: string) => (await encoder.encode([event({ type })]))[0]!.topic
  assert.equal(await goesTo('notification.email.sent'), 'p.system.notifications.sent')
  assert.equal(await goesTo('notification.sms.sent'), 'p.system.notifications.sent')
  assert.equal(await goesTo('notification.dead_lettered'), 'p.dead.in_app')
  assert.equal(await goesTo('carillon.breaker.opened'), 'p.carillon.breaker_opened')
  assert.equal(await goesTo('notification.sms.sneezed'), 'p.carillon.other')
  assert.equal(await goesTo('notification.cancelled'), 'p.notification.intents')
  for (const { type } of eventTypes) assert.ok(encoder.topics.includes(await goesTo(type)), type)
})
