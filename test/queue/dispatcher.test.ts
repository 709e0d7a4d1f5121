import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { PgBoss } from 'pg-boss'
import { createLogger } from '../../src/platform/logger.ts'
import { createBoss } from '../../src/queue/boss.ts'
import { type ChunkJob, type Dispatcher, startDispatcher } from '../../src/queue/dispatcher.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import { intentsQueue } from '../../src/queue/queues.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type World } from '../support/world.ts'

const queue = intentsQueue('bulk')
let world: World
let boss: PgBoss
const dispatchers: Dispatcher[] = []
before(async () => {
  world = await createWorld()
  boss = createBoss(world.worker, { supervise: false, onError: () => {} })
  await boss.start()
})
after(async () => {
  for (const dispatcher of dispatchers) await dispatcher.stop()
  await boss.stop({ graceful: false })
})

type Work = (job: ChunkJob, isOurs: () => boolean, keepFor: (rest: Promise<void>) => void) => Promise<void>

function dispatch(work: Work, maxSize = 10): Dispatcher {
  const dispatcher = startDispatcher({
    boss,
    pool: world.worker,
    logger: createLogger('silent'),
    idlePollMs: 20,
    work: [
      {
        queue,
        concurrency: 10,
        batchSize: 10,
        maxSize,
        room: 10,
        worthOwn: 0,
        units: (jobs) =>
          jobs.map((job) => ({
            tenant: 'a',
            priority: 0,
            jobs: [job],
            size: job.data.ids.length,
            work: (isOurs, keepFor) => work(job, isOurs, keepFor),
          })),
      },
    ],
  })
  dispatchers.push(dispatcher)
  return dispatcher
}

const put = (...ids: string[]) =>
  enqueue(
    world.worker,
    ids.map((id) => ({ queue, data: { tenant_id: world.tenant, ids: [id] }, priority: 1 })),
  )
const states = async (...ids: string[]) =>
  Object.fromEntries(
    (
      await world.rows<{ id: string; state: string; retry_count: number }>(
        `select data -> 'ids' ->> 0 as id, state, retry_count from pgboss.job where data -> 'ids' ->> 0 = any ($1)`,
        [ids],
      )
    ).map(({ id, state, retry_count }) => [id, `${state} ${retry_count}`]),
  )

test('a unit that fails sends back its own jobs only; the others of its batch go through once', async () => {
  const worked: string[] = []
  await put('good-1', 'bad', 'good-2')
  const dispatcher = dispatch(async ({ data }) => {
    worked.push(data.ids[0]!)
    if (data.ids[0] === 'bad') throw new Error('bad')
  })
  await eventually(async () => assert.equal((await states('bad')).bad?.split(' ')[0], 'retry'))
  await eventually(async () =>
    assert.deepEqual(await states('good-1', 'good-2'), { 'good-1': 'completed 0', 'good-2': 'completed 0' }),
  )
  await dispatcher.stop()
  assert.deepEqual(worked.filter((id) => id !== 'bad').sort(), ['good-1', 'good-2'])
  await world.admin.query(`delete from pgboss.job where name = $1`, [queue])
})

test('no more ids are in work at once than a batch may', async () => {
  let active = 0
  let most = 0
  const done: string[] = []
  await put('a', 'b', 'c', 'd', 'e')
  const dispatcher = dispatch(async ({ data }) => {
    most = Math.max(most, ++active)
    await new Promise((resolve) => setImmediate(resolve))
    active--
    done.push(data.ids[0]!)
  }, 4)
  await eventually(() => assert.equal(done.length, 5))
  await dispatcher.stop()
  assert.equal(most, 3, 'three quarters of it, for they are of one tenant')
})

test('a stop waits for what is under way and hands back what has not begun', async () => {
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const begun: string[] = []
  await put('first', 'second', 'third')
  const dispatcher = dispatch(async ({ data }) => {
    begun.push(data.ids[0]!)
    await held
  }, 1)
  await eventually(() => assert.equal(begun.length, 1))
  const stopped = dispatcher.stop()
  release()
  await stopped
  assert.equal(begun.length, 1)
  const after = await states('first', 'second', 'third')
  assert.deepEqual(
    Object.values(after)
      .map((state) => state.split(' ')[0])
      .sort(),
    ['completed', 'retry', 'retry'],
  )
})

test('a job is kept for the rest of its work, and then completed, or sent back if that fails; its place is free meanwhile', async () => {
  await world.admin.query('delete from pgboss.job where name = $1', [queue])
  const rests = new Map<string, PromiseWithResolvers<void>>()
  await put('kept', 'failing', 'fails at once')
  const dispatcher = dispatch(async ({ data }, _, keepFor) => {
    const rest = Promise.withResolvers<void>()
    rests.set(data.ids[0]!, rest)
    keepFor(rest.promise)
    if (data.ids[0] === 'fails at once') throw new Error('planning')
  }, 1)
  await eventually(() => assert.equal(rests.size, 3))
  const all = () => states('kept', 'failing', 'fails at once')
  assert.deepEqual(new Set(Object.values(await all())), new Set(['active 0']))
  const stopped = dispatcher.stop()
  for (const [id, { resolve, reject }] of rests) id === 'failing' ? reject(new Error('sending')) : resolve()
  await stopped
  assert.deepEqual(await all(), { kept: 'completed 0', failing: 'retry 0', 'fails at once': 'retry 0' })
})

test('jobs that a heartbeat no longer finds are not begun, and what is begun hears of it', async () => {
  await world.admin.query('delete from pgboss.job where name = $1', [queue])
  const begun: string[] = []
  let isOurs = () => true
  const held = Promise.withResolvers<void>()
  await put('held', 'waiting')
  const dispatcher = dispatch(async ({ data }, still) => {
    begun.push(data.ids[0]!)
    isOurs = still
    await held.promise
  }, 1)
  await eventually(() => assert.equal(begun.length, 1))
  assert.equal(isOurs(), true)
  // What supervision and the next fetch do with jobs whose heartbeat has lapsed.
  await world.admin.query(`update pgboss.job set retry_count = retry_count + 1 where name = $1`, [queue])
  await eventually(() => assert.equal(isOurs(), false), { timeoutMs: 10_000 })
  held.resolve()
  await dispatcher.stop()
  assert.equal(begun.length, 1)
})
