import assert from 'node:assert/strict'
import { afterEach, before, beforeEach, test } from 'node:test'
import pg from 'pg'
import { createLogger } from '../../src/platform/logger.ts'
import { type Asked, createAsked } from '../../src/queue/asked.ts'
import { createBoss } from '../../src/queue/boss.ts'
import { type ChunkJob, startDispatcher } from '../../src/queue/dispatcher.ts'
import { intentsQueue } from '../../src/queue/queues.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type World, waitingJobs } from '../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})
beforeEach(() => world.admin.query('delete from carillon.asked; delete from pgboss.job'))

const clients: pg.Client[] = []
afterEach(() => Promise.all(clients.splice(0).map((client) => client.end())))

/** A session that acts for the tenant. */
async function session(tenant = world.tenant): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: world.url, options: `-c carillon.tenant_id=${tenant}` })
  clients.push(client)
  await client.connect()
  return client
}

async function notify(client: pg.Client, options: { priority?: string; at?: string; key?: string } = {}) {
  const { rows } = await client.query<{ id: string }>(
    `select carillon.intent_id_of(carillon.notify(type => 'a.b', recipient => '{"id": "ann"}', body => 'x',
       priority => $1::text, scheduled_at => $2::timestamptz, idempotency_key => $3::text)) as id`,
    [options.priority ?? 'NORMAL', options.at ?? null, options.key ?? null],
  )
  return rows[0]!.id
}

const lane = (name: 'bulk' | 'critical' = 'bulk', chunkSize = 500): Asked =>
  createAsked({ pool: world.worker, clock: world.clock, lane: name, chunkSize })
const idsOf = (jobs: { data: { ids: string[] } }[]) => jobs.flatMap(({ data }) => data.ids)
const take = async (asked: Asked) => idsOf((await asked.take(1_000, [])).claimed)
const isAsked = async (asked: Asked) =>
  (await world.rows('select carillon.is_asked($1, $2) as asked', [asked.lane, asked.seen()]))[0]!.asked
const untaken = async () => (await world.rows('select id from carillon.asked order by id')).map(({ id }) => id)
const jobs = () => world.rows('select name, state, priority, data, start_after from pgboss.job order by priority desc')
const eventsOf = async (id: string) =>
  (await world.rows('select type from carillon.events_of($1)', [id])).map(({ type }) => type)

test('what was asked is taken as one job of a tenant and priority, born claimed, and told of once', async () => {
  const [ours, theirs] = [await session(), await session(world.otherTenant)]
  const asked = lane()
  const ids = [await notify(ours, { key: 'a' }), await notify(ours)]
  const [other, high] = [await notify(theirs), await notify(ours, { priority: 'HIGH' })]
  assert.equal(await isAsked(asked), true)
  const { claimed, othersDue } = await asked.take(1_000, [])
  assert.equal(othersDue, false)
  assert.deepEqual(idsOf(claimed).toSorted(), [...ids, other, high].toSorted())
  assert.deepEqual(claimed[0]?.data, { tenant_id: world.tenant, ids: [high], priority: 2 })
  assert.equal(claimed.length, 3)
  assert.ok((await jobs()).every(({ name, state }) => name === 'intents-bulk' && state === 'active'))
  assert.equal(await isAsked(asked), false)
  assert.deepEqual(await untaken(), [])
  const [event] = await world.rows('select type, at, data from carillon.events_of($1)', [ids[0]])
  const [intent] = await world.rows('select accepted_at from carillon.intents where id = $1', [ids[0]])
  assert.deepEqual(event?.data, { kind: 'direct', type: 'a.b', source: 'sql', idempotency_key: 'a' })
  assert.ok(event.at <= intent?.accepted_at && event.at > new Date(intent?.accepted_at.getTime() - 1_000))
  await processIntents(claimed.find(({ data }) => data.ids.includes(ids[0]!))!.data, world.planning)
  const [first, ...others] = await world.rows('select type, at from carillon.events_of($1)', [ids[0]])
  assert.equal(first?.type, 'notification.intent.received')
  assert.ok(others.length > 0 && others.every(({ type, at }) => type !== first?.type && at >= first?.at))
})

test('a rollback leaves nothing to take', async () => {
  const client = await session()
  await client.query('begin')
  await notify(client)
  await client.query('rollback')
  assert.equal(await isAsked(lane()), false)
})

test('what commits late is taken at the next look, though younger ones were taken before', async () => {
  const [late, prompt] = [await session(), await session()]
  const asked = lane()
  await late.query('begin')
  await late.query('savepoint s')
  const old = await notify(late)
  for (let round = 0; round < 3; round++) {
    const young = await notify(prompt)
    assert.deepEqual(await take(asked), [young])
    assert.notEqual(asked.seen(), null)
  }
  await late.query('commit')
  assert.equal(await isAsked(asked), true)
  assert.deepEqual(await take(asked), [old])
  assert.equal(await isAsked(asked), false)
})

test('one takes at a time, and what it does not commit is the other’s, who has not counted it as seen', async () => {
  const client = await session()
  const [first, second] = [lane(), await world.worker.connect()]
  await take(first)
  const id = await notify(client)
  try {
    await second.query('begin')
    const { rows } = await second.query(
      `select claimed from carillon.take_asked('bulk', null, now(), 10, 10, 10, '{}')`,
    )
    assert.deepEqual(idsOf(rows[0].claimed), [id])
    const seen = first.seen()
    assert.deepEqual(await first.take(10, []), { claimed: [], othersDue: false })
    assert.equal(first.seen(), seen)
    const urgent = await notify(client, { priority: 'CRITICAL' })
    assert.deepEqual(await take(lane('critical')), [urgent], 'the other lane is not held up')
    await second.query('rollback')
  } finally {
    second.release()
  }
  assert.deepEqual(await take(first), [id])
  assert.deepEqual(await eventsOf(id), ['notification.intent.received'])
})

test('two that take again and again take each once', async () => {
  const client = await session()
  const [first, second] = [lane(), lane()]
  const ids: string[] = []
  const taken: string[] = []
  for (let round = 0; round < 20; round++) {
    for (let n = 0; n < 5; n++) ids.push(await notify(client))
    for (const got of await Promise.all([take(first), take(second)])) taken.push(...got)
  }
  taken.push(...(await take(first)))
  assert.deepEqual(taken.toSorted(), ids.toSorted())
})

test('the greater priority is taken first, where there is more than one taking holds', async () => {
  const client = await session()
  await notify(client, { priority: 'LOW' })
  await notify(client)
  const high = await notify(client, { priority: 'HIGH' })
  const [row] = await world.rows(`select claimed, seen from carillon.take_asked('bulk', null, now(), 1, 10, 10, '{}')`)
  assert.deepEqual(idsOf(row!.claimed), [high])
  assert.equal(row!.seen, null, 'what was left was not seen')
})

test('what is scheduled waits in the queue, and what there is no room for, or too much of a tenant, goes there', async () => {
  const [ours, theirs] = [await session(), await session(world.otherTenant)]
  const later = await notify(ours, { at: new Date(world.clock.now().getTime() + 3_600_000).toISOString() })
  const asked = lane('bulk', 2)
  assert.deepEqual(await asked.take(10, []), { claimed: [], othersDue: false })
  const [job] = await jobs()
  assert.deepEqual(job?.data.ids, [later])
  assert.ok(job.start_after.getTime() > world.clock.now().getTime() + 3_500_000)
  await notify(ours, { at: new Date(world.clock.now().getTime() - 60_000).toISOString() })
  const other = await notify(theirs)
  const full = await asked.take(10, [world.tenant])
  assert.deepEqual([idsOf(full.claimed), full.othersDue], [[other], true])
  for (let n = 0; n < 5; n++) await notify(ours)
  const some = await asked.take(4, [])
  assert.deepEqual([some.claimed.length, idsOf(some.claimed).length, some.othersDue], [2, 4, true])
  assert.deepEqual(
    (await waitingJobs(world)).map(({ data }) => data.ids.length),
    [1, 1, 1],
  )
})

test('a snapshot that is held makes no taking slower: what was stepped over is not looked at again', async () => {
  const holder = await session()
  const client = await session()
  await holder.query('begin isolation level repeatable read')
  await holder.query('select 1 from carillon.asked')
  const asked = lane()
  for (let n = 0; n < 4; n++) {
    await world.admin.query(
      `insert into carillon.asked (tenant_id, id, priority) select $1, gen_random_uuid(), 1 from generate_series(1, 5000)`,
      [world.tenant],
    )
    await take(asked)
  }
  const id = await notify(client)
  const buffers = async (text: string, values: unknown[]) => {
    const [row] = await world.rows(`explain (analyze, buffers, format json) ${text}`, values)
    const { Plan: plan } = row!['QUERY PLAN'][0]
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
  }
  const look = 'select carillon.is_asked($1, $2)'
  await buffers(look, ['bulk', asked.seen()])
  assert.ok((await buffers(look, ['bulk', asked.seen()])) < 30)
  assert.ok((await buffers(look, ['bulk', null])) > 300, 'the dead rows are there')
  assert.deepEqual(await take(asked), [id])
  await holder.query('commit')
})

test('looking and taking go by the index, and by no scan of the table', async () => {
  for (const fn of ['is_asked', 'take_asked', 'oldest_asked']) {
    const [row] = await world.rows(`select proconfig from pg_proc where proname = $1`, [fn])
    assert.ok(row!.proconfig.includes('enable_seqscan=off'))
  }
  await world.admin.query('set enable_seqscan = off')
  const rows = await world.rows(
    `explain select from carillon.asked a where a.priority = 1::smallint and a.xid >= '5'::xid8`,
  )
  assert.match(
    rows.map((row) => row['QUERY PLAN']).join('\n'),
    /Index Only Scan using asked_pkey|Index Scan using asked_pkey|Bitmap Index Scan on asked_pkey/,
  )
})

test('while one lane is being taken, the other is looked at', async () => {
  const boss = createBoss(world.worker, { supervise: false, onError: () => {} })
  await boss.start()
  const client = await session()
  await notify(client)
  const stands = Promise.withResolvers<void>()
  const goesOn = Promise.withResolvers<void>()
  const bulk: Asked = {
    ...lane(),
    async take() {
      stands.resolve()
      await goesOn.promise
      return { claimed: [], othersDue: false }
    },
  }
  const worked: string[] = []
  const queueOf = (asked: Asked) => ({
    queue: intentsQueue(asked.lane),
    concurrency: 1,
    batchSize: 1,
    maxSize: 10,
    worthOwn: 0,
    room: 10,
    asked,
    units: (jobs: ChunkJob[]) => [
      { tenant: 'a', priority: 0, jobs, size: 1, work: async () => void worked.push(...idsOf(jobs)) },
    ],
  })
  const work = [queueOf(bulk), queueOf(lane('critical'))]
  const dispatcher = startDispatcher({ boss, pool: world.worker, logger: createLogger('silent'), idlePollMs: 20, work })
  await stands.promise
  const urgent = await notify(client, { priority: 'CRITICAL' })
  try {
    await eventually(() => assert.deepEqual(worked, [urgent]))
  } finally {
    goesOn.resolve()
    await dispatcher.stop()
    await boss.stop({ graceful: false })
  }
})

test('a job handed to a dispatcher is worked, and its intents are told of before', async () => {
  const boss = createBoss(world.worker, { supervise: false, onError: () => {} })
  await boss.start()
  const worked: string[] = []
  const dispatcher = startDispatcher({
    boss,
    pool: world.worker,
    logger: createLogger('silent'),
    idlePollMs: 20,
    work: (['critical', 'bulk'] as const).map((name) => ({
      queue: intentsQueue(name),
      concurrency: 2,
      batchSize: 10,
      maxSize: 10,
      room: 10,
      worthOwn: 0,
      asked: lane(name),
      units: (jobs) =>
        jobs.map((job) => ({
          tenant: job.data.tenant_id,
          priority: 1,
          jobs: [job],
          size: job.data.ids.length,
          work: async () => void worked.push(...job.data.ids),
        })),
    })),
  })
  const client = await session()
  const ids = [await notify(client), await notify(client, { priority: 'CRITICAL' })]
  for (let n = 0; n < 30; n++) ids.push(await notify(client))
  await eventually(() => assert.deepEqual(worked.toSorted(), ids.toSorted()))
  await dispatcher.stop()
  await boss.stop({ graceful: false })
  assert.deepEqual(
    (await jobs()).filter(({ state }) => state !== 'completed'),
    [],
  )
})
