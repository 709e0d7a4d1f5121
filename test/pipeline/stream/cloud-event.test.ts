import assert from 'node:assert/strict'
import { test } from 'node:test'
import { channels } from '../../../src/domain/channel.ts'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { feedTopics, sequenceOf, toCloudEvent, topicOf } from '../../../src/pipeline/stream/cloud-event.ts'

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

const topics: [type: string, topic: string][] = [
  ['notification.intent.received', 'notification.intents'],
  ['notification.intent.unmatched', 'notification.intents'],
  ...channels.map((channel): [string, string] => [`notification.${channel}.requested`, `notification.${channel}`]),
  ['notification.email.read', 'notification.email'],
  ['notification.dead_lettered', 'notification.dlq'],
  ['notification.cancelled', 'carillon.system'],
  ['notification.expired', 'carillon.system'],
  ['notification.failed', 'carillon.system'],
  ['notification.replayed', 'carillon.system'],
  ['notification.unheard_of.sent', 'carillon.system'],
  ['template.changed', 'carillon.system'],
]
for (const [type, topic] of topics) {
  test(`${type} goes to ${topic}`, () => {
    assert.equal(topicOf(type), topic)
    assert.ok(feedTopics.includes(topic))
  })
}

const subjects = [
  { of: 'an intent', subjectId: intent, key: intent, ids: { intent_id: intent } },
  {
    of: 'a notification',
    subjectId: notification,
    key: notification,
    ids: { intent_id: intent, notification_id: notification },
  },
  {
    of: 'a delivery',
    subjectId: delivery,
    key: notification,
    ids: { intent_id: intent, notification_id: notification, delivery_id: delivery },
  },
]
for (const { of, subjectId, key, ids } of subjects) {
  test(`the event of ${of} is keyed by what keeps its order, and its data names its story`, () => {
    const message = toCloudEvent(event({ subjectId, data: { attempt: 2, type: 'commerce.order.shipped' } }))
    assert.equal(message.key, key)
    assert.equal(message.headers.ce_partitionkey, key)
    assert.equal(message.headers.ce_subject, subjectId)
    assert.deepEqual(JSON.parse(message.value), {
      attempt: 2,
      type: 'commerce.order.shipped',
      id: '0190a1b2-c3d5-7123-8abc-1234deadbeef',
      tenant_id: tenantId,
      ...ids,
    })
  })
}

test('the headers are those of CloudEvents 1.0 in binary mode, with its extensions', () => {
  const { headers, topic } = toCloudEvent(event({ data: { traceparent, correlation_id: 'c-1' } }), 'acme.')
  assert.equal(topic, 'acme.notification.in_app')
  assert.deepEqual(headers, {
    ce_specversion: '1.0',
    ce_id: '0190a1b2-c3d5-7123-8abc-1234deadbeef',
    ce_source: `/carillon/${tenantId}`,
    ce_type: 'notification.in_app.delivered',
    ce_subject: delivery,
    ce_time: '2026-01-15T10:00:00.123Z',
    'content-type': 'application/json',
    ce_partitionkey: notification,
    ce_sequence: '00000000000000004711-0190a1b2-c3d5-7123-8abc-1234deadbeef',
    ce_tenantid: tenantId,
    ce_traceparent: traceparent,
    ce_correlationid: 'c-1',
  })
})

test('what is not there has no header', () => {
  const { headers } = toCloudEvent(event({ data: { traceparent: null, correlation_id: 7 } }))
  assert.ok(!('ce_traceparent' in headers) && !('ce_correlationid' in headers))
})

test('data cannot pass for the ids of another story', () => {
  const { value } = toCloudEvent(event({ data: { tenant_id: 'other', delivery_id: 'other' } }))
  assert.equal(JSON.parse(value).tenant_id, tenantId)
  assert.equal(JSON.parse(value).delivery_id, delivery)
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

test('data that no broker would take is left out, and says so', () => {
  const { value } = toCloudEvent(event({ data: { detail: 'é'.repeat(300_000) } }))
  assert.equal(JSON.parse(value).data_omitted, true)
  assert.equal(JSON.parse(value).delivery_id, delivery)
})
