import assert from 'node:assert/strict'
import { test } from 'node:test'
import { feedStart } from '../../../src/domain/status-event.ts'
import { disableCursor, moveCursor, openCursor } from '../../../src/pipeline/stream/feed-cursor.ts'
import { testDatabase } from '../../support/database.ts'
import { appendEvents, newNotification, newTenant } from './append-events.ts'

const database = await testDatabase()
const owner = database.pool()
const worker = database.pool('carillon_worker')
const now = new Date('2026-01-15T10:00:00Z')

async function laneRow(lane: string) {
  const text = 'select xid::text, id, enabled, system_identifier from carillon.feed_cursors where lane = $1'
  return (await owner.query({ text, values: [lane] })).rows[0]
}

test('a lane begins at the beginning of the log, and is taken up where it was left', async () => {
  assert.deepEqual(await openCursor(worker, 'first', now), feedStart)
  const to = { xid: '7', id: newNotification() }
  assert.equal(await moveCursor(worker, 'first', feedStart, to, now), true)
  assert.deepEqual(await openCursor(worker, 'first', now), to)
})

test('of two that move a cursor from the same place one succeeds', async () => {
  await openCursor(worker, 'guarded', now)
  const moves = await Promise.all(
    ['8', '9'].map((xid) => moveCursor(worker, 'guarded', feedStart, { xid, id: newNotification() }, now)),
  )
  assert.deepEqual(moves.sort(), [false, true])
})

test('a cursor of another database is refused with its lane, and left as it is', async () => {
  await openCursor(worker, 'foreign', now)
  await owner.query(`update carillon.feed_cursors set system_identifier = '1', enabled = false where lane = 'foreign'`)
  await assert.rejects(openCursor(worker, 'foreign', now), {
    code: 'FEED_OTHER_DATABASE',
    message: /lane "foreign" was made in another database .* delete the lane's row/,
  })
  assert.equal((await laneRow('foreign')).enabled, false)
})

test('where pg_control_system is not for us, another identity is kept', async () => {
  const role = `nobody_${database.name}`
  await owner.query(`create role ${role}; grant usage on schema carillon to ${role};
    grant select, insert, update on carillon.feed_cursors to ${role};
    revoke execute on function pg_control_system from public`)
  try {
    await openCursor(database.pool(role), 'weak', now)
    assert.match((await laneRow('weak')).system_identifier, /^oids:\d+\/\d+$/)
    assert.deepEqual(await openCursor(database.pool(role), 'weak', now), feedStart)
  } finally {
    await owner.query(`drop owned by ${role}; drop role ${role}`)
  }
})

test('a lane that was switched off keeps its place; one that never was stays none', async () => {
  await openCursor(worker, 'resting', now)
  await disableCursor(worker, 'resting', now)
  await disableCursor(worker, 'unborn', now)
  assert.equal((await laneRow('resting')).enabled, false)
  assert.equal(await laneRow('unborn'), undefined)
})

test('retention keeps what an enabled lane has not passed on, and drops it once it has, or is off', async () => {
  await owner.query('delete from carillon.feed_cursors')
  const inAYear = new Date(Date.now() + 365 * 86_400_000)
  const keptBecause = async () => {
    const day = partition.slice(-8)
    const text = `select carillon.drop_partition('status_log', to_date($1, 'YYYYMMDD'), $2) as because`
    return (await worker.query({ text, values: [day, inAYear] })).rows[0].because
  }
  const [id] = await appendEvents(owner, [{ tenantId: newTenant(), subjectId: newNotification() }])
  const { rows } = await owner.query({
    text: 'select tableoid::regclass::text as partition, xid::text from carillon.status_log where id = $1',
    values: [id],
  })
  const partition = rows[0].partition.replace('carillon.', '')

  await openCursor(worker, 'kafka', now)
  assert.equal(await keptBecause(), 'events not yet passed on')
  await disableCursor(worker, 'kafka', now)
  await openCursor(worker, 'kafka', now)
  assert.equal(await keptBecause(), 'events not yet passed on')
  await moveCursor(worker, 'kafka', feedStart, { xid: rows[0].xid, id: id! }, now)
  assert.equal(await keptBecause(), null)
})
