/** Nothing that anybody writes stops a partition: behind each bad message a good one lands. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, afterEach, beforeEach, test } from 'node:test'
import { CompressionTypes, type Message } from 'kafkajs'
import { systemClock } from '../../src/platform/clock.ts'
import { createValueDecoder } from '../../src/platform/decode-value.ts'
import { createRegistrySchemas } from '../../src/platform/registry-schemas.ts'
import { createSchemaRegistry } from '../../src/platform/schema-registry.ts'
import { eventually } from '../support/eventually.ts'
import { startFakeRegistry, wire } from '../support/fake-schema-registry.ts'
import { startKafka } from '../support/kafka-broker.ts'
import { createWorld } from '../support/world.ts'
import { cloudEvent, createRig, type Rig, request } from './bridge-rig.ts'

const world = await createWorld()
const kafka = await startKafka()
const registry = await startFakeRegistry()
after(() => registry.close())
after(() => kafka.stop())
const requestSchema = JSON.parse(
  await readFile(new URL('../../schemas/requests/notification-requested.avsc', import.meta.url), 'utf8'),
)
const tree = { type: 'record', name: 'Tree', fields: [{ name: 'child', type: ['null', 'Tree'] }] }
const schemas = [
  requestSchema,
  {
    type: 'record',
    name: 'Order',
    fields: [
      { name: 'order', type: 'string' },
      { name: 'total', type: ['int', 'long', 'double'] },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-millis' } },
      { name: 'raw', type: 'bytes' },
      { name: 'tags', type: { type: 'map', values: ['null', 'string'] } },
    ],
  },
  { type: 'string' },
  { syntax: 'proto3' },
  tree,
  { type: 'nonsense' },
]
registry.schemas.push(...schemas.map((schema) => JSON.stringify(schema)))
registry.kinds.set(4, 'PROTOBUF')
const decoder = () =>
  createValueDecoder(
    createRegistrySchemas({
      registry: createSchemaRegistry({ url: registry.url, autoRegister: false }),
      clock: systemClock,
    }),
  )
let rig: Rig

beforeEach(async () => {
  registry.trouble = undefined
  await world.admin.query(
    'delete from carillon.intents; delete from carillon.parked_messages; delete from carillon.idempotency_keys',
  )
  rig = await createRig(world, kafka.brokers)
})
afterEach(() => rig.close())

const soon = (check: () => Promise<void> | void, timeoutMs = 30_000) => eventually(check, { timeoutMs })
const header = (id: number) => Buffer.from([0, 0, 0, 0, id])
const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
const deepTree = Buffer.concat([header(5), Buffer.alloc(200_000, 2), Buffer.from([0])])
const some = '01a1a2d8-0000-7000-8000-000000000000'
const valid = () => request(world.tenant, undefined)
const json = { 'content-type': 'application/json' }

interface Bad {
  what: string
  message: Message
  reason: string
  detail: RegExp
  kind?: 'event'
}

const bad: Bad[] = [
  {
    what: 'random bytes',
    message: { value: Buffer.concat([Buffer.from([1]), randomBytes(500)]) },
    reason: 'undecodable',
    detail: /not (UTF-8|JSON)/,
  },
  {
    what: 'random bytes that begin as Avro',
    message: { value: Buffer.concat([header(1), randomBytes(300)]) },
    reason: 'undecodable',
    detail: /not what schema 1 says/,
  },
  { what: 'no value', message: { value: null }, reason: 'invalid', detail: /no value/ },
  { what: 'an empty value', message: { value: '' }, reason: 'undecodable', detail: /not JSON/ },
  {
    what: 'a wrong magic byte',
    message: {
      headers: { 'content-type': 'application/avro' },
      value: Buffer.concat([Buffer.from([7]), randomBytes(30)]),
    },
    reason: 'undecodable',
    detail: /wire format/,
  },
  {
    what: 'a schema that is not there',
    message: { value: Buffer.concat([header(99), randomBytes(30)]) },
    reason: 'unknown_schema',
    detail: /no Avro schema 99/,
  },
  {
    what: 'a schema that is no Avro',
    message: { value: Buffer.concat([header(4), randomBytes(30)]) },
    reason: 'unknown_schema',
    detail: /no Avro schema 4/,
  },
  {
    what: 'a schema that is nonsense',
    message: { value: Buffer.concat([header(6), randomBytes(30)]) },
    reason: 'unknown_schema',
    detail: /no Avro schema 6/,
  },
  {
    what: 'Avro that is no object',
    message: { value: wire(3, { type: 'string' }, 'hello') },
    reason: 'invalid',
    detail: /data must be an object/,
  },
  { what: 'Avro nested deep', message: { value: deepTree }, reason: 'undecodable', detail: /not what schema 5 says/ },
  {
    what: 'invalid JSON',
    message: { headers: json, value: '{"type": "a",' },
    reason: 'undecodable',
    detail: /not JSON/,
  },
  {
    what: 'JSON of another content type',
    message: { headers: { 'content-type': 'application/x-protobuf' }, value: '{}' },
    reason: 'undecodable',
    detail: /content type/,
  },
  { what: 'JSON nested a million deep', message: { value: nested(500_000) }, reason: 'invalid', detail: /object|deep/ },
  {
    what: 'data nested deep',
    message: { value: request(world.tenant, 'd', { data: JSON.parse(`{"a":${nested(70)}}`) }) },
    reason: 'invalid',
    detail: /^data must not be nested deeper than 64/,
  },
  {
    what: 'data nested beyond any stack',
    message: { value: valid().replace(/\}$/, `,"data":{"a":${nested(400_000)}}}`) },
    reason: 'invalid',
    detail: /deep/,
  },
  { what: 'a number', message: { value: '42' }, reason: 'invalid', detail: /data must be an object/ },
  {
    what: 'more than 1 MiB of content',
    message: { value: request(world.tenant, 'x', { body: 'é'.repeat(600_000) }) },
    reason: 'invalid',
    detail: /1 MiB/,
  },
  {
    what: 'more bytes than are taken',
    message: { value: `"${'a'.repeat(5_000_000)}"` },
    reason: 'too_large',
    detail: /5000002 bytes, at most/,
  },
  {
    what: 'a NUL in its content',
    message: { value: request(world.tenant, 'n', { body: 'a\u0000b' }) },
    reason: 'invalid',
    detail: /^body must not contain NUL/,
  },
  {
    what: 'a NUL in a field that there is not',
    message: { value: request(world.tenant, 'n', { 'a\u0000\ud800b': 1 }) },
    reason: 'invalid',
    detail: /^a\?.b is not a field/,
  },
  {
    what: 'half a character',
    message: { value: request(world.tenant, 'n', { metadata: { a: '\ud800' } }).replace('\\\\ud800', '\\ud800') },
    reason: 'invalid',
    detail: /^metadata must not contain NUL or half/,
  },
  {
    what: 'a flood of headers',
    message: {
      headers: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`h${index}`, 'v'])),
      value: valid(),
    },
    reason: 'too_large',
    detail: /20000 headers, at most 500/,
  },
  {
    what: 'a header that is not UTF-8',
    message: { headers: { ...cloudEvent(world.tenant, 'u'), ce_source: Buffer.from([0xc3, 0x28]) }, value: valid() },
    reason: 'invalid',
    detail: /header ce_source is not UTF-8/,
  },
  {
    what: 'a header that is there twice',
    message: { headers: { ...cloudEvent(world.tenant, 'u'), ce_id: ['1', '2'] }, value: valid() },
    reason: 'invalid',
    detail: /header ce_id is there twice/,
  },
  {
    what: 'a NUL in its key',
    message: { headers: cloudEvent(world.tenant, 'k', { ce_idempotencykey: 'a\u0000b' }), value: valid() },
    reason: 'invalid',
    detail: /^idempotencykey.* must not contain NUL/,
  },
  {
    what: 'an unknown tenant',
    message: { value: request(some, 't') },
    reason: 'unknown_tenant',
    detail: /there is no tenant 01a1a2d8/,
  },
  {
    what: 'no tenant',
    message: { value: request(world.tenant, 't', { tenant_id: undefined }) },
    reason: 'unknown_tenant',
    detail: /names no tenant/,
  },
  {
    what: 'a tenant that is no UUID',
    message: { value: request("'; drop table x", 't') },
    reason: 'unknown_tenant',
    detail: /not a UUID/,
  },
  {
    what: 'two tenants',
    message: { headers: cloudEvent(world.otherTenant, 't'), value: request(world.tenant, 't') },
    reason: 'invalid',
    detail: /differ/,
  },
  {
    what: 'a field that there is not',
    message: { value: request(world.tenant, 'f', { recipeint: {} }) },
    reason: 'invalid',
    detail: /^recipeint is not a field/,
  },
  {
    what: 'a channel that there is not',
    message: { value: request(world.tenant, 'f', { channels: ['PIGEON'] }) },
    reason: 'invalid',
    detail: /^channels.0 must be among EMAIL/,
  },
  {
    what: 'a recipient with a bad address',
    message: { value: request(world.tenant, 'f', { recipient: { email: 'secret person' } }) },
    reason: 'invalid',
    detail: /^recipient.email is not an e-mail address$/,
  },
  {
    what: 'no recipient',
    message: { value: request(world.tenant, 'f', { recipient: null }) },
    reason: 'invalid',
    detail: /^recipient or recipients is needed/,
  },
  {
    what: 'an event of our own feed',
    message: { headers: { ...cloudEvent(world.tenant, 'o'), ce_source: `/carillon/${world.tenant}` }, value: valid() },
    reason: 'invalid',
    detail: /own feed/,
  },
  {
    what: 'no CloudEvent among events',
    kind: 'event',
    message: { value: '{"order":1}' },
    reason: 'invalid',
    detail: /must be a CloudEvent/,
  },
  {
    what: 'a CloudEvent of another version',
    kind: 'event',
    message: { headers: { ...cloudEvent(world.tenant, 'v'), ce_specversion: '0.3' }, value: '{}' },
    reason: 'invalid',
    detail: /specversion must be 1.0/,
  },
  {
    what: 'a CloudEvent without an id',
    kind: 'event',
    message: { headers: { ...cloudEvent(world.tenant, 'v'), ce_id: '' }, value: '{}' },
    reason: 'invalid',
    detail: /id is needed/,
  },
  {
    what: 'an event type with spaces',
    kind: 'event',
    message: { headers: { ...cloudEvent(world.tenant, 'v'), ce_type: 'an order' }, value: '{}' },
    reason: 'invalid',
    detail: /^type must be 1 to 200/,
  },
]

test('every kind of bad message is parked with its bytes, its place and its reason, and the good ones between them land', async () => {
  const topics = { request: await rig.topic('requests'), event: await rig.topic('shop.events') }
  const places = new Map<string, Bad>()
  const next = { request: 0, event: 0 }
  for (const each of bad) {
    const kind = each.kind ?? 'request'
    places.set(`${topics[kind]}/${next[kind]}`, each)
    const good = kind === 'event' ? { headers: cloudEvent(world.tenant, each.what), value: '{}' } : { value: valid() }
    await rig.send(topics[kind], [each.message, good], CompressionTypes.GZIP)
    next[kind] += 2
  }
  const watched = rig.start(['$requests=request', '$*.events=event'], {}, decoder())
  await soon(async () => assert.equal(watched.outcomes.get('accepted'), bad.length), 45_000)
  const parked = await rig.parked()
  for (const [place, { what, message, reason, detail }] of places) {
    const found = parked.find((each) => `${each.topic}/${each.offset}` === place)
    assert.ok(found, `${what} is parked`)
    assert.equal(found.reason, reason, `${what}: ${found.detail}`)
    assert.match(found.detail, detail, what)
    const sent = typeof message.value === 'string' ? Buffer.from(message.value) : message.value
    assert.deepEqual(found.value, sent, what)
    assert.doesNotMatch(found.detail, /secret person/)
  }
  assert.equal(parked.length, bad.length)
  assert.equal(await rig.intents(), bad.length)
})

test('Avro becomes a request and an event as JSON does', async () => {
  const requests = await rig.topic('requests')
  const events = await rig.topic('shop.events')
  const blank = Object.fromEntries(requestSchema.fields.map((field: { name: string }) => [field.name, null]))
  const recipient = {
    ...Object.fromEntries(requestSchema.fields[4].type[1].fields.map((field: { name: string }) => [field.name, null])),
    email: 'ann@example.com',
  }
  const asked = {
    ...blank,
    tenant_id: world.tenant,
    type: 'commerce.order.shipped',
    recipient,
    channels: ['EMAIL'],
    priority: 'HIGH',
    template: 'order-shipped',
    data: '{"order":"A-1"}',
  }
  await rig.send(requests, [{ value: wire(1, requestSchema, asked) }])
  const order = {
    order: 'A-1',
    total: { long: 5 },
    at: 1_700_000_000_000,
    raw: Buffer.from([1, 2]),
    tags: { a: 'b', c: null },
  }
  const orderSchema = JSON.parse(
    JSON.stringify({
      type: 'record',
      name: 'Order',
      fields: [
        { name: 'order', type: 'string' },
        { name: 'total', type: ['int', 'long', 'double'] },
        { name: 'at', type: 'long' },
        { name: 'raw', type: 'bytes' },
        { name: 'tags', type: { type: 'map', values: ['null', 'string'] } },
      ],
    }),
  )
  await rig.send(events, [
    {
      headers: cloudEvent(world.tenant, 'a1', { 'content-type': 'application/avro' }),
      value: wire(2, orderSchema, order),
    },
  ])
  rig.start(['$requests=request', '$*.events=event'], {}, decoder())
  await soon(async () => assert.equal((await rig.intents()) + (await rig.parked()).length, 2))
  assert.deepEqual(await rig.parked(), [])
  const [direct, event] = await world.rows('select kind, priority, payload from carillon.intents order by kind')
  assert.equal(direct!.priority, 2)
  assert.deepEqual(direct!.payload.recipients, [{ type: 'user', email: 'ann@example.com' }])
  assert.deepEqual(direct!.payload.data, { order: 'A-1' })
  assert.deepEqual(event!.payload.data, {
    order: 'A-1',
    total: 5,
    at: '2023-11-14T22:13:20.000Z',
    raw: 'AQI=',
    tags: { a: 'b', c: null },
  })
})

test('a CloudEvent in structured mode is one too, and a request may come as one', async () => {
  const requests = await rig.topic('requests')
  const events = await rig.topic('shop.events')
  const structured = (fields: object) => ({
    headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8' },
    value: JSON.stringify({
      specversion: '1.0',
      id: 's1',
      source: '/orders',
      type: 'order.placed',
      tenantid: world.tenant,
      ...fields,
    }),
  })
  await rig.send(events, [
    structured({ data: { order: 1 }, time: '2026-11-20T12:00:00Z' }),
    structured({ id: 's2', data: 'text' }),
  ])
  await rig.send(requests, [structured({ id: 's3', data: JSON.parse(request(world.tenant, undefined)) })])
  rig.start(['$requests=request', '$*.events=event'])
  await soon(async () => assert.equal((await rig.intents()) + (await rig.parked()).length, 3))
  assert.deepEqual(
    (await rig.parked()).map(({ detail }) => detail),
    ['data must be an object'],
  )
  const rows = await world.rows('select kind, type, idempotency_key, event_id from carillon.intents order by kind')
  assert.deepEqual(rows, [
    { kind: 'direct', type: 'commerce.order.shipped', idempotency_key: '/orders s3', event_id: 's3' },
    { kind: 'event', type: 'order.placed', idempotency_key: '/orders s1', event_id: 's1' },
  ])
})

test('while the registry is away, or refuses us, its messages wait, and none is parked', async () => {
  const topic = await rig.topic('requests')
  const other = await rig.topic('others')
  registry.trouble = { status: 503, body: '{}' }
  const blank = Object.fromEntries(requestSchema.fields.map((field: { name: string }) => [field.name, null]))
  const asked = { ...blank, tenant_id: world.tenant, type: 'a', recipient: null, recipients: [], template: 't' }
  await rig.send(topic, [{ value: wire(1, requestSchema, asked) }])
  await rig.send(other, [{ value: valid() }])
  const watched = rig.start(['$*=request'], {}, decoder())
  await soon(async () => assert.equal(await rig.intents(), 1))
  await soon(() => assert.ok(watched.failed.filter((reason) => reason === 'registry').length > 2))
  registry.trouble = { status: 401, body: '{}' }
  const before = watched.failed.length
  await soon(() => assert.ok(watched.failed.length > before + 2))
  assert.deepEqual(await rig.parked(), [])
  assert.equal(watched.bridge.state(), 'waiting')
  registry.trouble = undefined
  await soon(async () => assert.equal((await rig.parked()).length, 1))
  assert.match((await rig.parked())[0]!.detail, /^recipients must not be empty/)
})

test('a pinned topic speaks for its tenant alone, and BRIDGE_TENANT for whoever names none', async () => {
  const pinned = await rig.topic('pinned')
  const open = await rig.topic('open')
  const unnamed = request(world.tenant, undefined, { tenant_id: undefined })
  await rig.send(pinned, [{ value: unnamed }, { value: request(world.otherTenant, undefined) }])
  await rig.send(open, [{ value: unnamed }, { value: request(world.otherTenant, undefined) }])
  const judge = { decoder: createValueDecoder(undefined), tenantId: world.otherTenant, maxBytes: 1e6, maxHeaders: 500 }
  rig.start([`$pinned=request@${world.tenant}`, '$open=request'], { judge })
  await soon(async () => assert.equal((await rig.intents()) + (await rig.parked()).length, 4))
  const counts = await world.rows('select tenant_id, count(*)::int as count from carillon.intents group by 1')
  assert.deepEqual(
    new Map(counts.map(({ tenant_id, count }) => [tenant_id, count])),
    new Map([
      [world.tenant, 1],
      [world.otherTenant, 2],
    ]),
  )
  assert.match((await rig.parked())[0]!.detail, /pinned/)
})
