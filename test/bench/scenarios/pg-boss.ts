import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { medianOf, spreadOf } from '../statistics.ts'
import { measureDrain, measureSteady, type PeerQueue } from './queue-measurements.ts'

/** What work() is tried with; the fastest at draining is measured. */
const settingsToTry = [
  { batchSize: 500, localConcurrency: 2 },
  { batchSize: 1_000, localConcurrency: 2 },
  { batchSize: 1_000, localConcurrency: 4 },
  { batchSize: 2_000, localConcurrency: 2 },
]

type WorkSettings = (typeof settingsToTry)[number]

const queueName = 'bench'

/** pg-boss with its own work(), insert() in batches, notifications, and a handler that does nothing. */
export async function pgBoss({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('pg-boss: a fresh database')
  const database = await server.fresh('empty')
  const boss = new PgBoss({ connectionString: database.url, max: 12, useListenNotify: true })
  const faults: string[] = []
  boss.on('error', (error) => faults.push(error.message))
  const watch = new pg.Pool({ connectionString: database.url, max: 1 })
  try {
    await boss.start()
    await boss.createQueue(queueName, { notify: true })
    const jobs = options.quick ? 20_000 : 60_000

    let settings = settingsToTry[0]!
    let fastest = 0
    for (const candidate of settingsToTry) {
      progress.begin(`pg-boss: trying batches of ${candidate.batchSize} x ${candidate.localConcurrency}`)
      const { drainedPerSecond } = await measureDrain(queueOf(boss, watch, candidate), 20_000, progress)
      if (drainedPerSecond <= fastest) continue
      fastest = drainedPerSecond
      settings = candidate
    }
    const queue = queueOf(boss, watch, settings)
    const drains: { enqueuedPerSecond: number; drainedPerSecond: number }[] = []
    const steady: number[] = []
    for (let round = 1; round <= options.rounds; round++) {
      progress.begin(`pg-boss: draining ${jobs} jobs, round ${round} of ${options.rounds}`)
      drains.push(await measureDrain(queue, jobs, progress))
      progress.begin(`pg-boss: both sides at once, round ${round} of ${options.rounds}`)
      steady.push(await measureSteady(queue, options.seconds, progress))
    }
    const spread = spreadOf(steady)
    const drained = Math.round(medianOf(drains.map((drain) => drain.drainedPerSecond)))
    return {
      unit: 'jobs',
      perSecond: Math.round(spread.median),
      spread: spreadIfMany(options.rounds, spread),
      drainedPerSecond: drained,
      enqueuedPerSecond: Math.round(medianOf(drains.map((drain) => drain.enqueuedPerSecond))),
      settings,
      remark: `no-op, ${settings.localConcurrency} x batches of ${settings.batchSize}, steady; drain alone ${drained}/s`,
      faults,
    }
  } finally {
    await watch.end()
    await boss.stop({ graceful: false })
    await database.drop()
  }
}

function queueOf(boss: PgBoss, watch: pg.Pool, settings: WorkSettings): PeerQueue {
  let handled = 0
  let number = 0
  return {
    name: 'pg-boss',
    handled: () => handled,
    async enqueue(count) {
      await boss.insert(
        queueName,
        Array.from({ length: count }, () => ({ data: { number: number++ } })),
      )
    },
    async startWorking() {
      const work = {
        ...settings,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 0.5,
      }
      await boss.work(queueName, work, async (jobs) => {
        handled += jobs.length
      })
    },
    async stopWorking() {
      await boss.offWork(queueName, { wait: true })
    },
    async isEmpty() {
      const { rows } = await watch.query(
        `select exists (select from pgboss.job where name = $1 and state < 'completed')`,
        [queueName],
      )
      return !rows[0].exists
    },
  }
}
