import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { beforeEach, test } from 'node:test'
import { acceptPage, type MessagePage } from '../../../src/pipeline/accept/accept-page.ts'
import { beginBridgeOffsets, readBridgeOffsets, resetBridgeOffset } from '../../../src/store/bridge-offsets.ts'
import { createWorld } from '../../support/world.ts'

const world = await createWorld()
const group = { clusterId: 'c', groupId: 'g' }
const deps = { pool: world.worker, ids: world.ids, keyTtlMs: 86_400_000, chunkSize: 500 }
const at = { topic: 't', partition: 0, nextOffset: 100n, resets: 0 }

beforeEach(async () => {
  await world.admin.query(
    'delete from carillon.intents; delete from carillon.parked_messages; delete from carillon.bridge_offsets; delete from pgboss.job',
  )
  await beginBridgeOffsets(world.worker, group, 't', [{ partition: 0, nextOffset: 100n }], world.clock.now())
})

function page(count: number, bad: (index: number) => boolean = () => false): MessagePage {
  return {
    group,
    from: at,
    next: 100n + BigInt(count),
    messages: Array.from({ length: count }, (_, index) => ({
      message: {
        offset: 100n + BigInt(index),
        timestamp: '1',
        key: null,
        value: Buffer.from('v'),
        headers: {},
        headerCount: 0,
      },
      judged: bad(index)
        ? { ok: false, reason: 'invalid', detail: 'a\u0000b' }
        : { ok: true, intent: world.intent({}, { source: 'kafka' }) },
    })),
  }
}
const counts = async () => {
  const [row] = await world.rows(
    `select (select count(*) from carillon.intents)::int as intents, (select count(*) from carillon.parked_messages)::int as parked,
       (select next_offset from carillon.bridge_offsets)::int as next`,
  )
  return row
}

test('of two that land the same page at once, one does, and the other writes nothing', async () => {
  const accepted = await Promise.all(
    [1, 2, 3, 4].map(() =>
      acceptPage(
        page(50, (index) => index % 5 === 0),
        deps,
        world.clock.now(),
      ),
    ),
  )
  assert.equal(accepted.filter((each) => each !== undefined).length, 1)
  assert.deepEqual(await counts(), { intents: 40, parked: 10, next: 150 })
})

test('a page of before a reset writes nothing, though the position is the same again', async () => {
  assert.equal(await resetBridgeOffset(world.worker, group, at, 0n, world.clock.now()), true)
  assert.equal(await resetBridgeOffset(world.worker, group, at, 0n, world.clock.now()), false)
  await world.admin.query('update carillon.bridge_offsets set next_offset = 100')
  assert.equal(await acceptPage(page(5), deps, world.clock.now()), undefined)
  assert.deepEqual(await counts(), { intents: 0, parked: 0, next: 100 })
  assert.deepEqual(await readBridgeOffsets(world.worker, group, ['t']), [{ ...at, resets: 1 }])
})

test('a page that fails leaves the position where it was', async () => {
  await world.admin.query(`alter table carillon.parked_messages add constraint test_fails check ("offset" <> 103)`)
  await assert.rejects(
    acceptPage(
      page(10, (index) => index === 3),
      deps,
      world.clock.now(),
    ),
  )
  await world.admin.query('alter table carillon.parked_messages drop constraint test_fails')
  assert.deepEqual(await counts(), { intents: 0, parked: 0, next: 100 })
})

test('a page takes as many statements for a thousand messages as for two', async () => {
  const statementsFor = async (count: number) => {
    let statements = 0
    const client = await world.worker.connect()
    const query = client.query.bind(client)
    const counting = (...args: Parameters<typeof query>) => {
      statements++
      return query(...args)
    }
    Object.assign(client, { query: counting })
    const pool = Object.assign(Object.create(world.worker), { connect: async () => client })
    await acceptPage(
      page(count, (index) => index % 10 === 0),
      { ...deps, pool },
      world.clock.now(),
    )
    Object.assign(client, { query })
    await world.admin.query(
      'update carillon.bridge_offsets set next_offset = 100; delete from carillon.parked_messages',
    )
    return statements
  }
  assert.equal(await statementsFor(1_000), await statementsFor(2))
})

test('the position is found by its key', async () => {
  const text = await readFile(new URL('../../../sql/accept/move_bridge_offset.sql', import.meta.url), 'utf8')
  const client = await world.worker.connect()
  try {
    await client.query('begin; set local enable_seqscan = off')
    const { rows } = await client.query(`explain ${text}`, ['c', 'g', 't', 0, 0, '100', '101', world.clock.now()])
    assert.match(rows.map((row) => row['QUERY PLAN']).join('\n'), /bridge_offsets_pkey/)
  } finally {
    await client.query('rollback')
    client.release()
  }
})
