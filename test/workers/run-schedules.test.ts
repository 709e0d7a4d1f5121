import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import type pg from 'pg'
import { ensurePartitions } from '../../src/store/partitions.ts'
import { createSchedule, listSchedules, type NewSchedule } from '../../src/store/schedules.ts'
import { type RunSchedulesDeps, runSchedules } from '../../src/workers/run-schedules.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld, type World } from '../support/world.ts'

const clock = testClock('2026-11-20T08:30:00Z')
const request = { type: 'report.due', recipient: { type: 'user', id: 'ann' }, subject: 'Your report' }
let world: World
let on: RunSchedulesDeps
let rung: string[] = []

before(async () => {
  world = await createWorld(clock)
  await ensurePartitions(world.worker, 5, clock.now())
  on = {
    pool: world.worker,
    ids: world.ids,
    keyTtlMs: 86_400_000,
    chunkSize: 100,
    logger: { warn: () => {} },
    ring: (topic) => rung.push(topic),
  }
})

beforeEach(async () => {
  clock.set('2026-11-20T08:30:00Z')
  rung = []
  await world.admin.query('delete from carillon.schedules')
  await world.admin.query('delete from carillon.intents')
  await world.admin.query('delete from carillon.idempotency_keys')
})

async function schedule(fields: Partial<NewSchedule> = {}, tenant = world.tenant) {
  const id = world.ids.id()
  const made: NewSchedule = {
    id,
    name: id,
    kind: 'direct',
    request,
    recurrence: { cron: '0 9 * * *', timezone: 'UTC' },
    startsAt: clock.now(),
    enabled: true,
    nextAt: new Date('2026-11-20T09:00:00Z'),
    ...fields,
  }
  assert.ok(await createSchedule(world.worker, tenant, made, clock.now(), 10_000))
  return id
}

const read = async (id: string) => (await listSchedules(world.worker, world.tenant, 1, id))[0]!
const intents = () =>
  world.rows<{
    id: string
    tenant_id: string
    kind: string
    type: string
    source: string
    payload: { metadata: object }
    expires_at: Date
  }>('select id, tenant_id, kind, type, source, payload, expires_at from carillon.intents order by id')

describe('running schedules', () => {
  it('asks for what is due, and for nothing before', async () => {
    const id = await schedule()
    assert.equal(await runSchedules(on, clock.now()), 0)
    clock.set('2026-11-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 1)
    const [intent, ...others] = await intents()
    assert.deepEqual(others, [])
    assert.equal(intent!.source, 'system')
    assert.deepEqual(intent!.payload.metadata, { schedule: { id, name: id, occurrence: '2026-11-20T09:00:00.000Z' } })
    const after = await read(id)
    assert.equal(after.lastIntentId, intent!.id)
    assert.equal(after.runs, 1)
    assert.deepEqual(after.nextAt, new Date('2026-11-21T09:00:00Z'))
    assert.ok(rung.includes('intents-bulk'), rung.join())
    assert.equal(await runSchedules(on, clock.now()), 0)
  })

  it('becomes a notification like any other', async () => {
    await schedule()
    clock.set('2026-11-20T09:00:00Z')
    await runSchedules(on, clock.now())
    const jobs = await world.rows<{ count: number }>(
      `select (select count(*) from carillon.asked)::int + (select count(*) from pgboss.job where name = 'intents-bulk')::int as count`,
    )
    assert.ok(jobs[0]!.count > 0)
  })

  it('an event comes as an event, known by its occurrence', async () => {
    const id = await schedule({ kind: 'event', request: { type: 'billing.cycle.ended', data: { plan: 'pro' } } })
    clock.set('2026-11-20T09:00:10Z')
    await runSchedules(on, clock.now())
    const [intent] = await world.rows('select kind, type, event_id, payload from carillon.intents')
    assert.equal(intent!.kind, 'event')
    assert.equal(intent!.event_id, `schedule:${id}:2026-11-20T09:00:00.000Z`)
    assert.deepEqual(intent!.payload.event, { domain: 'billing', occurredAt: '2026-11-20T09:00:00.000Z' })
  })

  it('eight workers at once ask for each of 250 once', async () => {
    for (let index = 0; index < 125; index++) {
      await schedule()
      await schedule({}, world.otherTenant)
    }
    clock.set('2026-11-20T09:00:00Z')
    const counts = await Promise.all(Array.from({ length: 8 }, () => runSchedules(on, clock.now())))
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      250,
    )
    assert.equal((await intents()).length, 250)
  })

  it('after a standstill the last one that was missed is made up for', async () => {
    const id = await schedule({ recurrence: { cron: '*/5 * * * *' } })
    clock.set('2026-11-23T12:03:00Z')
    assert.equal(await runSchedules(on, clock.now()), 1)
    const after = await read(id)
    assert.deepEqual(after.lastOccurrence, new Date('2026-11-23T12:00:00Z'))
    assert.deepEqual(after.nextAt, new Date('2026-11-23T12:05:00Z'))
  })

  it('what would have expired by now is not made up for', async () => {
    const id = await schedule({ expiresAfterMs: 3_600_000 })
    clock.set('2026-11-20T10:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 0)
    assert.match((await read(id)).lastError!, /has expired/)
    clock.set('2026-11-21T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 1)
    assert.deepEqual((await intents())[0]!.expires_at, new Date('2026-11-21T10:00:00Z'))
    assert.equal((await read(id)).lastError, undefined)
  })

  it('it ends with its end, and with the last of its series', async () => {
    const ends = await schedule({ endsAt: new Date('2026-11-21T09:00:00Z') })
    const counted = await schedule({ recurrence: { rrule: 'DTSTART:20261120T090000Z\nRRULE:FREQ=DAILY;COUNT=1' } })
    clock.set('2026-11-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 2)
    for (const id of [ends, counted]) assert.equal((await read(id)).nextAt, undefined)
    clock.set('2026-12-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 0)
  })

  it('one that is switched off rests', async () => {
    await schedule({ enabled: false })
    clock.set('2026-11-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 0)
  })

  it('one whose request is refused says why, and holds up no other', async () => {
    const bad = await schedule({ request: { ...request, subject: undefined } })
    await schedule()
    clock.set('2026-11-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 1)
    const after = await read(bad)
    assert.match(after.lastError!, /^template /)
    assert.deepEqual(after.nextAt, new Date('2026-11-21T09:00:00Z'))
  })

  it('one that the database refuses holds up no other either', async () => {
    const bad = await schedule({ name: 'bad', request: { ...request, type: 'refused.by.trigger' } })
    await schedule()
    await world.admin.query(`
      create function carillon.refuse() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '22023'; end $$;
      create trigger refuse before insert on carillon.intents for each row when (new.type = 'refused.by.trigger') execute function carillon.refuse()`)
    clock.set('2026-11-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 1)
    assert.match((await read(bad)).lastError!, /could not be accepted/)
    await world.admin.query('drop trigger refuse on carillon.intents')
  })

  it('a transaction that fails at its end has accepted nothing, and the next turn does', async () => {
    await schedule()
    clock.set('2026-11-20T09:00:00Z')
    await world.admin.query(`
      create function carillon.fail_late() returns trigger language plpgsql as $$ begin raise exception 'the server stops' using errcode = '57P01'; end $$;`)
    for (const part of [0, 1, 2, 3]) {
      await world.admin.query(`create constraint trigger fail_late after update on carillon.schedules_h${part}
        deferrable initially deferred for each row execute function carillon.fail_late()`)
    }
    await assert.rejects(runSchedules(on, clock.now()))
    assert.deepEqual(await intents(), [])
    for (const part of [0, 1, 2, 3]) await world.admin.query(`drop trigger fail_late on carillon.schedules_h${part}`)
    assert.equal(await runSchedules(on, clock.now()), 1)
    assert.equal((await intents()).length, 1)
  })

  it('one whose recurrence cannot be read any more ends, and holds up no other', async () => {
    const bad = await schedule({ recurrence: { cron: 'whenever' } })
    await schedule()
    clock.set('2026-11-20T09:00:00Z')
    assert.equal(await runSchedules(on, clock.now()), 1)
    const after = await read(bad)
    assert.match(after.lastError!, /recurrence/)
    assert.equal(after.nextAt, undefined)
  })

  it('dying before any of its statements, or after, it loses and doubles nothing', async () => {
    let died = 0
    for (let last = 1; ; last++) {
      await world.admin.query('delete from carillon.schedules')
      await world.admin.query('delete from carillon.intents')
      for (let index = 0; index < 3; index++) await schedule()
      clock.set('2026-11-20T09:00:00Z')
      const dying = dyingPool(world.worker, last)
      const ended = await runSchedules({ ...on, pool: dying.pool }, clock.now()).then(
        () => true,
        () => false,
      )
      if (!ended) died++
      await runSchedules(on, clock.now())
      assert.equal((await intents()).length, 3, `after ${last} statements`)
      assert.equal(await runSchedules(on, clock.now()), 0)
      clock.set('2026-11-20T08:30:00Z')
      if (!dying.hasDied()) break
    }
    assert.ok(died >= 4, `${died} statements`)
  })
})

/** Its connection breaks off instead of running the n-th statement. */
function dyingPool(pool: pg.Pool, last: number): { pool: pg.Pool; hasDied(): boolean } {
  let count = 0
  const connect = async () => {
    const client = await pool.connect()
    const query = async (...args: unknown[]) => {
      if (++count < last) return (client.query as (...all: unknown[]) => unknown)(...args)
      await client.query('rollback')
      throw Object.assign(new Error('Connection terminated unexpectedly'), { code: '08006' })
    }
    return { query, release: (error?: Error) => client.release(error) }
  }
  return { pool: { connect } as unknown as pg.Pool, hasDied: () => count >= last }
}
