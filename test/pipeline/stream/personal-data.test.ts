import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { QueryConfig } from 'pg'
import type { NewIntent } from '../../../src/domain/intent.ts'
import type { StatusEvent } from '../../../src/domain/status-event.ts'
import { createFeedEncoder } from '../../../src/pipeline/stream/feed-encoder.ts'
import { createOpener } from '../../../src/pipeline/stream/open-personal-data.ts'
import { createSealer, openSealed, openSubjectKey } from '../../../src/pipeline/stream/personal-data.ts'
import { createValueDecoder } from '../../../src/platform/decode-value.ts'
import type { WrappingKey } from '../../../src/platform/envelope.ts'
import type { KafkaMessage } from '../../../src/platform/kafka/publisher.ts'
import { eraseSubjectKey, findSubjectKey } from '../../../src/store/subject-keys.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const wrapping = (name: string): WrappingKey => ({ name, key: randomBytes(32) })
const current = wrapping('second')
const former = wrapping('first')

const sealerWith = (...wrappings: WrappingKey[]) =>
  createSealer({ on: world.worker, wrappings, clock: world.clock, ids: world.ids })

async function requestedFor(...recipients: { id?: string; email?: string; name?: string }[]): Promise<StatusEvent[]> {
  return requested(
    recipients.map((recipient) =>
      world.intent({ recipients: [{ type: 'user', ...recipient }], subject: 'Zu Händen', data: { order: 'A-1' } }),
    ),
  )
}

/** The events of planning, without waiting for what else is open in the server. */
async function requested(intents: NewIntent[]): Promise<StatusEvent[]> {
  const rows = await world.rows<Record<string, unknown>>(
    `select e.* from unnest($1::uuid[]) with ordinality as i (id, place) cross join lateral carillon.events_of(i.id) e
     where e.type like '%.requested' order by i.place`,
    [await world.plan(intents)],
  )
  return rows.map(({ tenant_id, subject_id, ...event }) => ({
    ...event,
    tenantId: tenant_id,
    subjectId: subject_id,
  })) as StatusEvent[]
}

async function dataKey(tenantId: string, keyId: string, wrappings = [current, former]) {
  const row = await findSubjectKey(world.worker, tenantId, keyId)
  return row && openSubjectKey(wrappings, row)
}

test('what is sealed opens with the person’s key, and says address, name and what was asked to be said', async () => {
  const [event] = await requestedFor({ id: 'ann', email: 'ann@example.com', name: 'Ann' })
  const sealed = (await sealerWith(current)([event!])).get(event!.id)!
  assert.doesNotMatch(JSON.stringify(sealed), /ann|example|Händen/i)
  const key = await dataKey(event!.tenantId, sealed.keyId)
  const told = openSealed(key!, sealed, { tenantId: event!.tenantId, eventId: event!.id })
  assert.equal(told.address, 'ann@example.com')
  assert.equal(told.recipient_name, 'Ann')
  assert.equal(told.content?.subject, 'Zu Händen')
  assert.deepEqual(told.content?.data, { order: 'A-1' })
  assert.equal('recipients' in told.content!, false)
})

test('an event that is not a request says the address alone', async () => {
  const [event] = await requestedFor({ id: 'ben', email: 'ben@example.com' })
  const sent = { ...event!, type: 'notification.email.sent' }
  const sealed = (await sealerWith(current)([sent])).get(sent.id)!
  const key = await dataKey(sent.tenantId, sealed.keyId)
  const told = openSealed(key!, sealed, { tenantId: sent.tenantId, eventId: sent.id })
  assert.deepEqual(told, { address: 'ben@example.com' })
})

test('a person has one key, two people have two, and two relays agree on them', async () => {
  const events = await requestedFor(
    { id: 'cat', email: 'cat@example.com' },
    { id: 'cat', email: 'cat@example.org' },
    { id: 'dan', email: 'dan@example.com' },
  )
  const both = await Promise.all([sealerWith(current)(events), sealerWith(current)(events.toReversed())])
  const [one, other] = both.map((sealed) => events.map(({ id }) => sealed.get(id)!.keyId))
  assert.deepEqual(one, other)
  const keyOf = new Map(events.map((event, index) => [event.data.recipient_id, one![index]]))
  assert.notEqual(keyOf.get('cat'), keyOf.get('dan'))
  assert.equal(new Set(one).size, 2)
})

test('ciphertext that is moved to another event opens nothing', async () => {
  const [event] = await requestedFor({ id: 'eve', email: 'eve@example.com' })
  const sealed = (await sealerWith(current)([event!])).get(event!.id)!
  const key = (await dataKey(event!.tenantId, sealed.keyId))!
  const elsewhere = { tenantId: event!.tenantId, eventId: world.ids.id() }
  assert.throws(() => openSealed(key, sealed, elsewhere), { code: 'CANNOT_DECRYPT' })
})

test('an erased person’s messages are unreadable for ever, and nothing of before is sealed again', async () => {
  const [event] = await requestedFor({ id: 'fay', email: 'fay@example.com' })
  const seal = sealerWith(current)
  const sealed = (await seal([event!])).get(event!.id)!
  const subject = { tenantId: event!.tenantId, recipientId: 'fay' }
  await eraseSubjectKey(world.worker, subject, world.clock.now())
  assert.equal(await findSubjectKey(world.worker, event!.tenantId, sealed.keyId), undefined)
  assert.equal((await seal([event!])).size, 0)

  const later = { ...event!, id: world.ids.id(), at: new Date(world.clock.now().getTime() + 1_000) }
  const anew = (await seal([event!, later])).get(later.id)!
  assert.notEqual(anew.keyId, sealed.keyId)
  assert.equal((await seal([event!])).size, 0)
})

test('a wrapping key that was replaced opens what it wrapped, and without it there is a clear error', async () => {
  const [event] = await requestedFor({ id: 'gil', email: 'gil@example.com' })
  const old = (await sealerWith(former)([event!])).get(event!.id)!
  const renewed = (await sealerWith(current, former)([event!])).get(event!.id)!
  assert.equal(renewed.keyId, old.keyId)
  await assert.rejects(sealerWith(current)([event!]), { code: 'CANNOT_DECRYPT', message: /"first".*FEED_PII_KEYS/ })
})

test('events of intents, and of notifications as a whole, have nothing to seal', async () => {
  const [event] = await requestedFor({ id: 'hal', email: 'hal@example.com' })
  const intent = { ...event!, type: 'notification.intent.received', data: { source: 'sql' } }
  assert.equal((await sealerWith(current)([intent])).size, 0)
})

test('content that no broker would take is left out, and says so', async () => {
  const long = {
    recipients: [{ type: 'user' as const, id: 'ida', email: 'ida@example.com' }],
    data: { long: 'x'.repeat(300_000) },
  }
  const [event] = await requested([world.intent(long)])
  const sealed = (await sealerWith(current, former)([event!])).get(event!.id)!
  const key = await dataKey(event!.tenantId, sealed.keyId)
  const told = openSealed(key!, sealed, { tenantId: event!.tenantId, eventId: event!.id })
  assert.deepEqual(told, { address: 'ida@example.com', content_omitted: true })
})

test('long content is measured in bytes: what else the event says is never left out for it', async () => {
  const [event] = await requested([
    world.intent({ recipients: [{ type: 'user', id: 'lev', email: 'lev@example.com' }], body: 'ж'.repeat(200_000) }),
  ])
  const [message] = await createFeedEncoder({ topicPrefix: '', seal: sealerWith(current, former) }).encode([event!])
  const value = JSON.parse(String(message!.value))
  assert.deepEqual([value.data_omitted, value.recipient_id], [undefined, 'lev'])
  const told = await createOpener(world.worker, [current, former])(value)
  assert.deepEqual(told, { address: 'lev@example.com', content_omitted: true })
})

test('content is read for requests alone, and none that is too long leaves the database', async () => {
  const [short] = await requestedFor({ id: 'mia', email: 'mia@example.com' })
  const [long] = await requested([
    world.intent({ recipients: [{ type: 'user', id: 'ned', email: 'ned@example.com' }], body: 'x'.repeat(300_000) }),
  ])
  const contents: unknown[] = []
  const query = async (config: QueryConfig) => {
    const result = await world.worker.query(config)
    if (config.name === 'stream/load_personal_data')
      contents.push(...result.rows.map(({ content }) => content !== null))
    return result
  }
  const on = { query } as unknown as typeof world.worker
  const seal = createSealer({ on, wrappings: [current, former], clock: world.clock, ids: world.ids })
  await seal([{ ...short!, type: 'notification.email.sent' }, long!])
  assert.deepEqual(contents, [false, false])
})

function read({ value, headers }: KafkaMessage): Record<string, unknown> {
  const decoded = createValueDecoder(undefined).decode({
    contentType: headers['content-type'],
    bytes: Buffer.from(value),
  })
  assert.ok(decoded.ok)
  return decoded.value as Record<string, unknown>
}

for (const format of ['json', 'avro'] as const) {
  test(`messages in ${format} hold what was sealed, and whoever has the keys opens it until the person is erased`, async () => {
    const [event] = await requestedFor({ id: `jo-${format}`, email: 'jo@example.com', name: 'Jo' })
    const encoder = createFeedEncoder({
      topicPrefix: '',
      avro: format === 'avro' ? {} : undefined,
      seal: sealerWith(current),
    })
    const [message] = await encoder.encode([event!])
    const bytes = Buffer.from(message!.value)
    assert.doesNotMatch(bytes.toString('latin1') + JSON.stringify(message!.headers), /jo@example|Zu H/)
    const value = read(message!)
    const open = createOpener(world.worker, [former, current])
    assert.equal((await open(value))?.address, 'jo@example.com')
    await eraseSubjectKey(world.worker, { tenantId: event!.tenantId, recipientId: `jo-${format}` }, world.clock.now())
    assert.equal(await open(value), undefined)
    const [bare] = await encoder.encode([event!])
    assert.equal(read(bare!).personal_data ?? null, null)
  })
}

test('without the setting nothing of a person is in a message', async () => {
  const [event] = await requestedFor({ id: 'kim', email: 'kim@example.com', name: 'Kim' })
  const [message] = await createFeedEncoder({ topicPrefix: '' }).encode([event!])
  assert.doesNotMatch(String(message!.value), /personal|kim@example|Kim/)
})
