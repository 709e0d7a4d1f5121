import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import avsc from 'avsc'
import { eventTypes } from '../../../src/domain/event-types.ts'
import { parseFeedTopics } from '../../../src/domain/feed-layout.ts'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { createFeedEncoder } from '../../../src/pipeline/stream/feed-encoder.ts'
import type { SubjectNames } from '../../../src/pipeline/stream/feed-format.ts'
import { systemClock } from '../../../src/platform/clock.ts'
import { createValueDecoder, type DecodedValue, type EncodedValue } from '../../../src/platform/decode-value.ts'
import { createRegistrySchemas } from '../../../src/platform/registry-schemas.ts'
import { createSchemaRegistry } from '../../../src/platform/schema-registry.ts'
import { startFakeRegistry } from '../../support/fake-schema-registry.ts'
import { readSources } from '../../support/feed-schemas.ts'

const server = await startFakeRegistry()
after(() => server.close())
beforeEach(() => {
  server.subjects.clear()
  server.schemas.length = 0
  server.asked.length = 0
  server.trouble = undefined
  server.password = undefined
})

const tenantId = '0190a1b2-0000-7000-8000-000000000001'
const notification = notificationId('0190a1b2-c3d4-7123-8abc-123400000000', 3)
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const event = (over: Partial<StatusEvent> = {}): StatusEvent => ({
  tenantId,
  subjectId: deliveryId(notification, 'email'),
  id: '0190a1b2-c3d5-7123-8abc-1234deadbeef',
  xid: '4711',
  type: 'notification.email.sent',
  at: new Date('2026-01-15T10:00:00.123Z'),
  data: { recipient_id: 'zoë', attempt: 2, provider: 'smtp', type: 'order', traceparent, correlation_id: 'c-1' },
  ...over,
})
const everyType = eventTypes.map(({ type, channel }) =>
  event({ type, subjectId: deliveryId(notification, channel ?? 'sms') }),
)

const registryOf = (over: Partial<Parameters<typeof createSchemaRegistry>[0]> = {}) =>
  createSchemaRegistry({ url: server.url, autoRegister: true, timeoutMs: 1_000, ...over })
const encoderWith = (registry: ReturnType<typeof registryOf>, subjects: SubjectNames = 'topic', templates?: string) =>
  createFeedEncoder({
    topicPrefix: 'p.',
    templates: templates === undefined ? undefined : parseFeedTopics(templates),
    avro: { registered: { registry, subjects } },
  })
/** By the registry, where there is one. */
function decoderWith(registry?: ReturnType<typeof registryOf>) {
  const decoder = createValueDecoder(registry && createRegistrySchemas({ registry, clock: systemClock }))
  return async (value: EncodedValue): Promise<DecodedValue> => {
    await decoder.prepare([value])
    return decoder.decode(value)
  }
}
async function decodedValue(value: EncodedValue, decode = decoderWith()): Promise<Record<string, unknown>> {
  const decoded = await decode(value)
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.detail)
  return decoded.value as Record<string, unknown>
}
const avroOf = (bytes: Buffer): EncodedValue => ({ contentType: 'application/avro', bytes })
const bytesIn = (message: { value: string | Buffer } | undefined) => message?.value as Buffer

test('whoever knows the registry and nothing of ours can read every event, and reads what the JSON says', async () => {
  const asAvro = await encoderWith(registryOf()).encode(everyType)
  const asJson = await createFeedEncoder({ topicPrefix: 'p.' }).encode(everyType)
  for (const [index, message] of asAvro.entries()) {
    const bytes = bytesIn(message)
    assert.equal(bytes[0], 0)
    const schema = JSON.parse(server.schemas[bytes.readInt32BE(1) - 1]!)
    const read = avsc.Type.forSchema(schema).fromBuffer(bytes.subarray(5)) as Record<string, unknown>
    const told = Object.entries(read).filter(
      ([name, value]) => value !== null && !(name === 'data_omitted' && value === false),
    )
    assert.deepEqual(Object.fromEntries(told), JSON.parse(String(asJson[index]!.value)))
    assert.equal(message.headers['content-type'], 'application/avro')
    const { 'content-type': _, ...headers } = message.headers
    const { 'content-type': __, ...others } = asJson[index]!.headers
    assert.deepEqual([message.topic, message.key, headers], [asJson[index]!.topic, asJson[index]!.key, others])
  }
})

test('what is empty is null, and not missing', async () => {
  const [message] = await encoderWith(registryOf()).encode([event({ data: {} })])
  const read = await decodedValue(avroOf(bytesIn(message)), decoderWith(registryOf()))
  for (const name of [
    'idempotency_key',
    'correlation_id',
    'trace_id',
    'traceparent',
    'recipient_id',
    'attempt',
    'reason',
  ])
    assert.equal(read[name], null, name)
})

for (const { schema } of readSources('released/1')) {
  test(`readers of the released ${schema.name} read what is written by the next version, and the other way round`, () => {
    const added = { name: 'added_later', type: ['null', 'string'], default: null, doc: 'A field of the next version.' }
    const released = avsc.Type.forSchema(schema as unknown as avsc.Schema)
    const next = avsc.Type.forSchema({ ...schema, fields: [...schema.fields, added] } as unknown as avsc.Schema)
    const sample = { ...(released.random() as object) } as Record<string, unknown>
    const old = next.createResolver(released)
    assert.deepEqual({ ...next.fromBuffer(released.toBuffer(sample), old) }, { ...sample, added_later: null })
    const reading = released.createResolver(next)
    assert.deepEqual({ ...released.fromBuffer(next.toBuffer({ ...sample, added_later: 'x' }), reading) }, sample)
  })
}

test('readers of every released version read today’s messages', async () => {
  const [message] = await createFeedEncoder({ topicPrefix: '', avro: {} }).encode([event()])
  const today = readSources().find(({ schema }) => schema.name === 'DeliveryEvent')!.schema
  const reader = avsc.Type.forSchema(
    readSources('released/1').find(({ schema }) => schema.name === 'DeliveryEvent')!.schema as unknown as avsc.Schema,
  )
  const resolver = reader.createResolver(avsc.Type.forSchema(today as unknown as avsc.Schema))
  const read = reader.fromBuffer(bytesIn(message).subarray(10), resolver) as Record<string, unknown>
  assert.deepEqual([read.event_type, read.recipient_id, read.attempt], ['notification.email.sent', 'zoë', 2])
})

const strategies: [SubjectNames, string, string][] = [
  ['topic', 'notification=a,delivery=b,dead_letter=c,system=d', 'p.a-value p.b-value p.c-value p.d-value'],
  [
    'record',
    'all',
    ['DeadLetter', 'Delivery', 'Notification', 'System'].map((name) => `io.carillon.feed.${name}Event`).join(' '),
  ],
  [
    'topic-record',
    'all',
    ['DeadLetter', 'Delivery', 'Notification', 'System'].map((name) => `p.all-io.carillon.feed.${name}Event`).join(' '),
  ],
]
for (const [subjects, templates, expected] of strategies) {
  test(`subjects by ${subjects}`, async () => {
    const encoder = encoderWith(registryOf(), subjects, templates)
    await encoder.prepare!()
    assert.equal([...server.subjects.keys()].sort().join(' '), expected)
    const count = server.asked.length
    await encoder.encode([event()])
    await encoder.prepare!()
    assert.equal(server.asked.length, count, 'it asks once')
  })
}

test('a schema that the registry has already keeps its id', async () => {
  server.schemas.push(
    '"string"',
    JSON.stringify(readSources().find(({ file }) => file === 'delivery-event.avsc')!.schema),
  )
  server.subjects.set('p.notification.email-value', [2])
  const [message] = await encoderWith(registryOf()).encode([event()])
  assert.equal(bytesIn(message).readInt32BE(1), 2)
})

test('without auto registration schemas are looked up, and a missing one is told of until a person registers it', async () => {
  const encoder = encoderWith(registryOf({ autoRegister: false }), 'record')
  await assert.rejects(encoder.encode([event()]), {
    code: 'SCHEMA_REFUSED',
    message: /not registered under io\.carillon\.feed/,
  })
  assert.equal(server.subjects.size, 0)
  await encoderWith(registryOf(), 'record').prepare!()
  const [message] = await encoder.encode([event()])
  assert.ok(bytesIn(message).readInt32BE(1) > 0)
})

test('what the registry has and cannot be reconciled with ours is told of by name, and no event is encoded', async () => {
  server.schemas.push('{"type":"record","name":"Other","namespace":"b","fields":[{"name":"a","type":"int"}]}')
  server.subjects.set('p.notification.email-value', [1])
  const encoder = encoderWith(registryOf())
  const refusal = { code: 'SCHEMA_REFUSED', message: /under p\.notification\.email-value is not compatible/ }
  await assert.rejects(encoder.prepare!(), refusal)
  await assert.rejects(encoder.encode([event()]), refusal)
  server.subjects.delete('p.notification.email-value')
  assert.equal((await encoder.encode([event()])).length, 1)
})

test('a user and a password, from the settings or the URL', async () => {
  server.password = 'p@ss'
  await assert.rejects(encoderWith(registryOf()).prepare!(), {
    code: 'SCHEMA_REFUSED',
    message: /answers 401 \(Unauthorized\)/,
  })
  await encoderWith(registryOf({ username: 'relay', password: 'p@ss' }), 'record').prepare!()
  await encoderWith(registryOf({ url: server.url.replace('//', '//relay:p%40ss@') }), 'record').prepare!()
  await assert.rejects(
    encoderWith(registryOf({ url: server.url.replace('//', '//relay:wrong@') })).prepare!(),
    (error: Error) => !error.message.includes('wrong'),
  )
})

const troubles: [what: string, status: number, body: string, code: string][] = [
  [
    'an error of the registry',
    500,
    '{"error_code":50001,"message":"Error in the backend datastore"}',
    'SCHEMA_REGISTRY_UNAVAILABLE',
  ],
  ['a proxy without a registry behind it', 503, '<html>no</html>', 'SCHEMA_REGISTRY_UNAVAILABLE'],
  ['too many requests', 429, '{}', 'SCHEMA_REGISTRY_UNAVAILABLE'],
  ['an answer that is no JSON', 200, 'hello', 'SCHEMA_REGISTRY_UNAVAILABLE'],
  ['an answer without an end', 200, `"${'x'.repeat(2_000_000)}"`, 'SCHEMA_REGISTRY_UNAVAILABLE'],
  ['silence', 0, '', 'SCHEMA_REGISTRY_UNAVAILABLE'],
  ['a schema that it calls invalid', 422, '{"error_code":42201,"message":"Invalid schema"}', 'SCHEMA_REFUSED'],
  ['no right to it', 403, '{"error_code":40301,"message":"Forbidden"}', 'SCHEMA_REFUSED'],
]
for (const [what, status, body, code] of troubles) {
  test(`${what} is ${code}, and the next try may succeed`, async () => {
    server.trouble = { status, body }
    const encoder = encoderWith(registryOf({ timeoutMs: 300 }), 'record')
    await assert.rejects(encoder.encode([event()]), { code })
    server.trouble = undefined
    assert.equal((await encoder.encode([event()])).length, 1)
  })
}

test('nobody there', async () => {
  const encoder = encoderWith(registryOf({ url: 'http://127.0.0.1:1' }))
  await assert.rejects(encoder.prepare!(), { code: 'SCHEMA_REGISTRY_UNAVAILABLE' })
})

test('without a registry a message says by its fingerprint, and by its headers, which schema it was written with', async () => {
  const [message] = await createFeedEncoder({ topicPrefix: '', avro: {} }).encode([event()])
  const bytes = bytesIn(message)
  assert.equal(bytes.toString('hex', 0, 2), 'c301')
  assert.equal(message!.headers.ce_dataschema, 'urn:carillon:feed:1:DeliveryEvent')
  const schema = readSources('released/1').find(({ file }) => file === 'delivery-event.avsc')!.schema
  const read = avsc.Type.forSchema(schema as unknown as avsc.Schema).fromBuffer(bytes.subarray(10)) as { id: string }
  assert.equal(read.id, event().id)
  assert.equal((await decodedValue(avroOf(bytes))).recipient_id, 'zoë')
})

test('an event that no broker would take goes without its data', async () => {
  const long = event({ data: { correlation_id: 'é'.repeat(300_000) } })
  const [first, next] = await createFeedEncoder({ topicPrefix: '', avro: {} }).encode([long, event()])
  const read = await decodedValue(avroOf(bytesIn(first)))
  assert.deepEqual([read.data_omitted, read.correlation_id, read.id], [true, null, long.id])
  assert.equal((await decodedValue(avroOf(bytesIn(next)))).correlation_id, 'c-1')
})

test('values are decoded by their content type', async () => {
  const [json] = await createFeedEncoder({ topicPrefix: '' }).encode([event()])
  for (const type of ['application/json', 'application/json; charset=utf-8', 'application/cloudevents+json', undefined])
    assert.equal(
      (await decodedValue({ contentType: type, bytes: Buffer.from(String(json!.value)) })).recipient_id,
      'zoë',
    )
  const [avro] = await encoderWith(registryOf()).encode([event()])
  const decode = decoderWith(registryOf())
  server.asked.length = 0
  for (const type of ['application/avro', 'application/vnd.apache.avro+binary', 'avro/binary'])
    assert.equal((await decodedValue({ contentType: type, bytes: bytesIn(avro) }, decode)).recipient_id, 'zoë')
  assert.equal(server.asked.length, 1, 'a schema is fetched once')
  const withoutRegistry = await decodedValue({ ...avroOf(bytesIn(avro)), dataschema: avro!.headers.ce_dataschema })
  assert.equal(withoutRegistry.recipient_id, 'zoë', 'ours are known without a registry')
})

const unreadable: [what: string, contentType: string, bytes: Buffer, reason: string, says: RegExp][] = [
  ['no JSON', 'application/json', Buffer.from('{'), 'undecodable', /not JSON/],
  ['no UTF-8', 'application/json', Buffer.from([0x22, 0xff, 0x22]), 'undecodable', /not UTF-8/],
  ['another format', 'application/x-protobuf', Buffer.from('x'), 'undecodable', /neither JSON nor Avro/],
  ['an unknown id', 'application/avro', Buffer.from([0, 0, 0, 0, 99, 1]), 'unknown_schema', /no Avro schema 99/],
  [
    'an unknown fingerprint',
    'application/avro',
    Buffer.from('c301000000000000000000', 'hex'),
    'unknown_schema',
    /none of ours/,
  ],
  ['no mark', 'application/avro', Buffer.from('hello'), 'undecodable', /does not begin as Avro/],
  ['too few bytes', 'application/avro', Buffer.from([0, 0]), 'undecodable', /does not begin as Avro/],
]
for (const [what, contentType, bytes, reason, says] of unreadable) {
  test(`unreadable, and told as that: ${what}`, async () => {
    const decoded = await decoderWith(registryOf())({ contentType, bytes })
    assert.equal(!decoded.ok && decoded.reason, reason)
    assert.match(decoded.ok ? '' : decoded.detail, says)
  })
}

test('Avro that is not what its schema says is unreadable', async () => {
  const [message] = await encoderWith(registryOf()).encode([event()])
  const cut = await decoderWith(registryOf())(avroOf(bytesIn(message).subarray(0, 40)))
  assert.equal(!cut.ok && cut.reason, 'undecodable')
  server.schemas[0] = '{"type":"no such type"}'
  const odd = await decoderWith(registryOf())(avroOf(Buffer.from([0, 0, 0, 0, 1, 1])))
  assert.equal(!odd.ok && odd.reason, 'unknown_schema')
})

test('without a registry a message of somebody else says that it needs one', async () => {
  const decoded = await decoderWith()(avroOf(Buffer.from([0, 0, 0, 0, 7, 1])))
  assert.match(decoded.ok ? '' : decoded.detail, /needs schema 7, and SCHEMA_REGISTRY_URL is not set/)
})
