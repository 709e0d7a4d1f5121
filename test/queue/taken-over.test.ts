import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { PgBoss } from 'pg-boss'
import { createLogger } from '../../src/platform/logger.ts'
import { createBoss } from '../../src/queue/boss.ts'
import { type Dispatcher, startDispatcher } from '../../src/queue/dispatcher.ts'
import { enqueue } from '../../src/queue/enqueue.ts'
import { intentsQueue } from '../../src/queue/queues.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type World } from '../support/world.ts'

const queue = intentsQueue('bulk')
let world: World
let boss: PgBoss
before(async () => {
  world = await createWorld()
  boss = createBoss(world.worker, { supervise: false, onError: () => {} })
  await boss.start()
})
const dispatchers: Dispatcher[] = []
after(async () => {
  for (const dispatcher of dispatchers) dispatcher.quiesce()
  await boss.stop({ graceful: false })
})

function dispatch(work: (id: string, isOurs: () => boolean) => Promise<void>): Dispatcher {
  const dispatcher = startDispatcher({
    boss,
    pool: world.worker,
    logger: createLogger('silent'),
    idlePollMs: 20,
    work: [
      {
        queue,
        concurrency: 1,
        batchSize: 10,
        maxSize: 10,
        room: 100,
        worthOwn: 0,
        units: (jobs) =>
          jobs.map((job) => ({
            tenant: 'a',
            priority: 0,
            jobs: [job],
            size: 1,
            work: (isOurs) => work(job.data.ids[0]!, isOurs),
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

test('jobs that a heartbeat no longer finds are not begun, and what is begun hears of it', async () => {
  const begun: string[] = []
  let isOurs = () => true
  const held = Promise.withResolvers<void>()
  await put('first', 'second')
  const dispatcher = dispatch(async (id, still) => {
    begun.push(id)
    isOurs = still
    await held.promise
  })
  await eventually(() => assert.equal(begun.length, 1))
  assert.equal(isOurs(), true)
  // What supervision does with jobs whose heartbeat has lapsed, and another worker then fetches them.
  await world.admin.query(`update pgboss.job set retry_count = retry_count + 1 where name = $1`, [queue])
  await eventually(() => assert.equal(isOurs(), false), { timeoutMs: 10_000 })
  held.resolve()
  await dispatcher.stop()
  assert.equal(begun.length, 1)
})
