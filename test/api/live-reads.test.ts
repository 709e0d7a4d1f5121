import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { createLiveReads } from '../../src/api/graphql/live-reads.ts'
import { createApiWorld } from './api-world.ts'
import { deliverInApp, planInApp } from './inbox-seed.ts'

const world = await createApiWorld()

/** A pool that counts what is asked of it. */
function counted(pool: pg.Pool) {
  const seen = { statements: 0, connections: 0 }
  const connect = async () => {
    seen.connections++
    const client = await pool.connect()
    return {
      on: client.on.bind(client),
      off: client.off.bind(client),
      release: client.release.bind(client),
      query: (...args: [pg.QueryConfig]) => {
        seen.statements++
        return client.query(...args)
      },
    }
  }
  return { pool: { connect } as unknown as pg.Pool, seen }
}

async function deliveredTo(users: readonly string[]) {
  const arrivals = []
  for (const recipientId of users) {
    const [notificationId] = await planInApp(world, recipientId)
    await deliverInApp(world, recipientId, [notificationId!])
    const [item] = await world.rows<{ xid: string }>(
      'select xid::text from carillon.inbox_items where recipient_id = $1',
      [recipientId],
    )
    arrivals.push({ notificationId: notificationId!, recipientId, xid: item!.xid })
  }
  return arrivals
}

test('what one turn asks for thirty inboxes is one transaction of six statements', async () => {
  const { pool, seen } = counted(world.api)
  const reads = createLiveReads(pool, world.clock)(world.tenant)
  const arrivals = await deliveredTo(Array.from({ length: 30 }, (_, n) => `crowd-${n}`))
  const views = await Promise.all(arrivals.map(reads.arrived))
  assert.deepEqual(
    views.map((view) => view?.id),
    arrivals.map(({ notificationId }) => notificationId),
  )
  assert.deepEqual(seen, { connections: 1, statements: 6 })
  for (const view of views) {
    assert.equal((await view?.said)?.subject, 'item 0')
    assert.equal((await view?.inboxItem)?.title, 'Hello')
  }
})

test('an event brings an item that its own transaction wrote, to its own recipient and tenant', async () => {
  const liveReads = createLiveReads(world.api, world.clock)
  const [arrival] = await deliveredTo(['ann'])
  const reads = liveReads(world.tenant)
  assert.equal(liveReads(world.tenant), reads)
  assert.equal((await reads.arrived(arrival!))?.id, arrival!.notificationId)
  assert.equal(await reads.arrived({ ...arrival!, xid: String(BigInt(arrival!.xid) + 1n) }), undefined)
  assert.equal(await reads.arrived({ ...arrival!, recipientId: 'bob' }), undefined)
  assert.equal(await liveReads(world.otherTenant).arrived(arrival!), undefined)
})

test('subscriptions that begin together read one horizon, which is no older than the question', async () => {
  const { pool, seen } = counted(world.api)
  const reads = createLiveReads(pool, world.clock)(world.tenant)
  const [arrival] = await deliveredTo(['carl'])
  const horizons = await Promise.all(Array.from({ length: 20 }, reads.horizon))
  assert.equal(seen.connections, 1)
  assert.equal(new Set(horizons).size, 1)
  const [row] = await world.rows<{ visible: boolean }>(
    'select pg_visible_in_snapshot($1::xid8, $2::pg_snapshot) as visible',
    [arrival!.xid, horizons[0]!.snapshot],
  )
  assert.equal(row!.visible, true)
})
