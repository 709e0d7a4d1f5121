import assert from 'node:assert/strict'
import { test } from 'node:test'
import { feedStart } from '../../../src/domain/status-event.ts'
import { moveCursor, openCursor } from '../../../src/pipeline/stream/feed-cursor.ts'
import {
  readFeedIdentity,
  reconcileMirror,
  relayName,
  toKafkaPosition,
  toPlace,
} from '../../../src/pipeline/stream/feed-position.ts'
import { testDatabase } from '../../support/database.ts'
import { appendEvents, newNotification, newTenant } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')
const now = new Date('2026-01-15T10:00:00Z')

async function newPlace() {
  const [id] = await appendEvents(owner, [{ tenantId: newTenant(), subjectId: newNotification() }])
  const { rows } = await owner.query({
    text: 'select xid::text, id from carillon.status_log where id = $1',
    values: [id],
  })
  return rows[0] as { xid: string; id: string }
}

test('a database keeps its identity, and another of the same server has another', async () => {
  const other = await testDatabase()
  const identity = await readFeedIdentity(worker)
  assert.match(identity, /^\d+-\d+$/)
  assert.equal(await readFeedIdentity(worker), identity)
  assert.notEqual(await readFeedIdentity(other.pool('carillon_worker')), identity)
  assert.equal(relayName({ topicPrefix: 'acme.', lane: 'kafka', identity }), `acme.carillon.relay.kafka.${identity}`)
})

test('where pg_control_system is not for us, there is still an identity, and it is the database’s own', async () => {
  await owner.query('revoke execute on function pg_control_system from public')
  try {
    const identity = await readFeedIdentity(worker)
    assert.match(identity, /^oids-\d+-\d+-[0-9a-f]{12}$/)
    assert.equal(await readFeedIdentity(worker), identity)
  } finally {
    await owner.query('grant execute on function pg_control_system to public')
  }
})

test('a place comes back from Kafka as it was, and its text rises where the offset does not', async () => {
  const [a, b] = [
    { xid: '18446744073709551', id: '019bc0de-0000-7000-8000-000000000001' },
    { xid: '18446744073709551', id: '019bc0de-0000-7000-8000-000000000002' },
  ]
  assert.deepEqual(toPlace(toKafkaPosition(a, 'here'), 'here'), a)
  assert.equal(toKafkaPosition(a, 'here').offset, a.xid)
  assert.ok(toKafkaPosition(a, 'here').metadata < toKafkaPosition(b, 'here').metadata)
  assert.equal(toPlace(undefined, 'here'), undefined)
  assert.equal(toPlace({ offset: '5', metadata: 'by hand' }, 'here'), undefined)
  assert.throws(() => toPlace(toKafkaPosition(a, 'there'), 'here'), { code: 'FEED_OTHER_DATABASE' })
})

test('the mirror follows Kafka in both directions; without a position in Kafka it is the place', async () => {
  const lane = 'both'
  const start = await openCursor(worker, lane, now)
  const [first, second] = [await newPlace(), await newPlace()]
  assert.deepEqual(await reconcileMirror(worker, lane, start, undefined, now), { place: start, mirror: 'alone' })
  assert.deepEqual(await reconcileMirror(worker, lane, start, second, now), { place: second, mirror: 'behind' })
  assert.deepEqual(await reconcileMirror(worker, lane, second, second, now), { place: second, mirror: 'agrees' })
  assert.deepEqual(await reconcileMirror(worker, lane, second, first, now), { place: first, mirror: 'ahead' })
  assert.deepEqual(await openCursor(worker, lane, now), first)
})

test('whoever read the mirror before another moved it cannot put it back', async () => {
  const lane = 'late'
  const read = await openCursor(worker, lane, now)
  const [first, second] = [await newPlace(), await newPlace()]
  await moveCursor(worker, lane, feedStart, second, now)
  await assert.rejects(reconcileMirror(worker, lane, read, first, now), { code: 'CURSOR_MOVED' })
  assert.deepEqual(await openCursor(worker, lane, now), second)
})

test('Kafka’s place past the mirror has to be in the log: by its transaction and by its id', async () => {
  const lane = 'set-back'
  const mirror = await openCursor(worker, lane, now)
  const { xid, id } = await newPlace()
  for (const place of [
    { xid: String(BigInt(xid) + 1_000_000n), id },
    { xid, id: `${id.slice(0, 24)}ffff${id.slice(28)}` },
  ]) {
    await assert.rejects(reconcileMirror(worker, lane, mirror, place, now), { code: 'FEED_AHEAD_OF_DATABASE' })
  }
  const lastOfItsBatch = { xid, id: `${id.slice(0, 28)}000001f3` }
  assert.equal((await reconcileMirror(worker, lane, mirror, lastOfItsBatch, now)).mirror, 'behind')
})
