import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { scopeOf } from '../../../src/domain/expressions/scope.ts'
import { compileInhibitions, type Inhibition } from '../../../src/domain/inhibitions.ts'
import { expireClosedAlerts } from '../../../src/maintenance/open-alerts.ts'
import { noteAlerts, stillHeldBack } from '../../../src/pipeline/match/hold-back.ts'
import { statement } from '../../../src/platform/db.ts'
import { createInhibition, listOpenAlerts } from '../../../src/store/inhibitions.ts'
import { testClock } from '../../support/test-clock.ts'
import { createWorld, type World } from '../../support/world.ts'

const clock = testClock('2026-11-20T10:00:00Z')
let world: World

before(async () => {
  world = await createWorld(clock)
})

async function inhibition(fields: Partial<Inhibition> = {}) {
  const id = world.ids.id()
  const made = {
    id,
    name: id,
    source: 'event.type == "host.down"',
    target: 'event.type == "service.down"',
    equal: ['event.data.host'],
    resolved: 'event.type == "host.up"',
    ...fields,
  }
  await createInhibition(world.worker, world.tenant, { ...made, enabled: true }, clock.now())
  return compileInhibitions([made])
}

function event(type: string, host = 'a', status?: string) {
  clock.advance(1)
  const id = world.ids.intentId()
  const now = clock.now()
  const facts = {
    id,
    type,
    domain: 'host',
    acceptedAt: now,
    priority: 1,
    data: { host, ...(status ? { status } : {}) },
  }
  return { id, scope: scopeOf({ event: facts, now }), eventId: `event-${id}` }
}

describe('noting alerts', () => {
  const note = (events: ReturnType<typeof event>[], on: Awaited<ReturnType<typeof inhibition>>) =>
    noteAlerts(world.worker, world.tenant, events, on, clock.now())

  it('an open alert holds back what has an equal key, until it is resolved', async () => {
    const on = await inhibition()
    assert.deepEqual(await note([event('service.down')], on), new Map())
    await note([event('host.down')], on)
    const held = event('service.down')
    const other = event('service.down', 'b')
    const { id, name } = on[0]!.inhibition
    assert.deepEqual(await note([held, other], on), new Map([[held.id, { reason: 'inhibited', id, comment: name }]]))
    await note([event('host.up')], on)
    assert.deepEqual(await note([event('service.down')], on), new Map())
    await note([event('host.down')], on)
    assert.equal((await note([event('service.down')], on)).size, 1)
  })

  it('within a chunk what was accepted before counts', async () => {
    const on = await inhibition()
    const chunk = ['service.down', 'host.down', 'service.down', 'host.up', 'service.down'].map((type) => event(type))
    assert.deepEqual([...(await note(chunk, on)).keys()], [chunk[2]!.id])
    assert.deepEqual([...(await note(chunk, on)).keys()], [chunk[2]!.id], 'and the same when it is processed again')
  })

  it('chunks that are processed out of order leave the same behind', async () => {
    const on = await inhibition()
    const [down, held, up, passed, again, heldAgain] = [
      'host.down',
      'service.down',
      'host.up',
      'service.down',
      'host.down',
      'service.down',
    ].map((type) => event(type)) as [Ev, Ev, Ev, Ev, Ev, Ev]
    type Ev = ReturnType<typeof event>
    await note([down], on)
    await note([again], on)
    await note([up], on)
    for (const [asked, isHeld] of [
      [held, true],
      [passed, false],
      [heldAgain, true],
    ] as const) {
      assert.equal((await note([asked], on)).has(asked.id), isHeld, asked.id)
    }
    await note([up], on)
    assert.equal((await listOpenAlerts(world.worker, world.tenant, on[0]!.inhibition.id, clock.now(), 10)).length, 1)
  })

  it('a resolution that is processed before what it resolves leaves nothing open', async () => {
    const on = await inhibition()
    const down = event('host.down')
    await note([event('host.up')], on)
    await note([down], on)
    assert.deepEqual(await listOpenAlerts(world.worker, world.tenant, on[0]!.inhibition.id, clock.now(), 10), [])
    assert.equal((await note([event('service.down')], on)).size, 0)
  })

  it('without words of its own it is over with the status "resolved" of its source', async () => {
    const on = await inhibition({ resolved: undefined })
    await note([event('host.down'), event('service.down', 'a', 'resolved')], on)
    assert.equal((await note([event('service.down')], on)).size, 1)
    await note([event('host.down', 'a', 'resolved')], on)
    assert.equal((await note([event('service.down')], on)).size, 0)
  })

  it('an alert that is not heard of for as long as it may be is over', async () => {
    const on = await inhibition({ openForMs: 60_000 })
    await note([event('host.down')], on)
    const held = event('service.down')
    const { until } = (await note([held], on)).get(held.id)!
    assert.ok(until && until > clock.now())
    clock.advance(60_000)
    assert.equal((await note([event('service.down')], on)).size, 0)
  })

  it('what has waited is asked for as things stand by now', async () => {
    const on = await inhibition()
    const waiting = event('service.down')
    const still = () =>
      stillHeldBack(world.worker, world.tenant, [waiting], { silences: [], inhibitions: on }, clock.now())
    assert.equal((await still()).size, 0)
    await note([event('host.down')], on)
    assert.equal((await still()).size, 1)
    assert.equal((await note([waiting], on)).size, 0, 'when it was accepted, nothing was open')
    await note([event('host.up')], on)
    assert.equal((await still()).size, 0)
  })

  it('two that note the same keys at the same time do not get into each other’s way', async () => {
    const on = await inhibition()
    const chunks = Array.from({ length: 20 }, () =>
      ['c', 'a', 'b'].flatMap((host) => [event('host.down', host), event('host.up', host), event('host.down', host)]),
    )
    await Promise.all(chunks.map((chunk) => note(chunk, on)))
    const open = await listOpenAlerts(world.worker, world.tenant, on[0]!.inhibition.id, clock.now(), 10)
    assert.equal(open.length, 3)
  })

  it('what is over is forgotten after a while, and what is open is not', async () => {
    const on = await inhibition()
    await note([event('host.down', 'x'), event('host.down', 'y'), event('host.up', 'y')], on)
    const keys = async () =>
      (
        await world.rows('select key from carillon.open_alerts where inhibition_id = $1 order by key', [
          on[0]!.inhibition.id,
        ])
      ).map(({ key }) => key)
    clock.advance(86_400_000)
    await expireClosedAlerts(world.worker, clock.now())
    assert.deepEqual(await keys(), ['["x"]', '["y"]'])
    clock.advance(1)
    assert.ok((await expireClosedAlerts(world.worker, clock.now())) > 0)
    assert.deepEqual(await keys(), ['["x"]'])
  })

  it('reads the keys that it asks for by their index, among however many', async () => {
    const on = await inhibition()
    const { id } = on[0]!.inhibition
    await world.admin.query(
      `insert into carillon.open_alerts (tenant_id, inhibition_id, key, alert, opened_by, fired_by, opened_at, noted_at)
       select $1, $2, '["host-' || n || '"]', '', carillon.new_intent_id(now()), carillon.new_intent_id(now()), now(), now()
       from generate_series(1, 30000) n`,
      [world.tenant, id],
    )
    await world.admin.query('analyze carillon.open_alerts')
    const client = await world.worker.connect()
    try {
      await client.query('begin')
      await client.query('set local enable_nestloop = off')
      await client.query('set local plan_cache_mode = force_generic_plan')
      const { text } = statement('match/note_alerts')
      const none: unknown[] = Array(8).fill([])
      const values = [world.tenant, clock.now(), ...none, [id], ['["host-7"]', '["host-29999"]']]
      const { rows } = await client.query({ name: 'explained', text: `explain (analyze, format text) ${text}`, values })
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
      assert.match(plan, /open_alerts_h\d_pkey/)
      assert.doesNotMatch(plan, /Rows Removed by Filter: \d{3}/)
    } finally {
      await client.query('rollback')
      client.release()
    }
  })
})
