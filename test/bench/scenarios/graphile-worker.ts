import { Logger, makeWorkerUtils, type Runner, run, runMigrations } from 'graphile-worker'
import pg from 'pg'
import { type ScenarioContext, type ScenarioResult, spreadIfMany } from '../scenario.ts'
import { medianOf, spreadOf } from '../statistics.ts'
import { measureDrain, measureSteady, type PeerQueue } from './queue-measurements.ts'

/** The settings of https://worker.graphile.org/docs/performance, for one process. */
const settings = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}

const silent = new Logger(() => () => {})

/** Graphile Worker with a task that does nothing, its local queue, and jobs added by addJobs in batches. */
export async function graphileWorker({ options, server, progress }: ScenarioContext): Promise<ScenarioResult> {
  progress.begin('graphile-worker: a fresh database')
  const database = await server.fresh('empty')
  const preset = { worker: { connectionString: database.url, logger: silent, ...settings } }
  const watch = new pg.Pool({ connectionString: database.url, max: 1 })
  try {
    await runMigrations({ preset })
    const utils = await makeWorkerUtils({ preset })
    try {
      const jobs = options.quick ? 20_000 : 60_000
      let handled = 0
      let number = 0
      let runner: Runner | undefined
      const queue: PeerQueue = {
        name: 'graphile-worker',
        handled: () => handled,
        async enqueue(count) {
          await utils.addJobs(
            Array.from({ length: count }, () => ({ identifier: 'noop', payload: { number: number++ } })),
          )
        },
        async startWorking() {
          const noop = () => {
            handled++
          }
          runner = await run({ preset, taskList: { noop }, noHandleSignals: true })
        },
        async stopWorking() {
          await runner?.stop()
          runner = undefined
        },
        async isEmpty() {
          const { rows } = await watch.query('select exists (select from graphile_worker._private_jobs)')
          return !rows[0].exists
        },
      }
      progress.begin('graphile-worker: warming up')
      await measureDrain(queue, 10_000, progress)
      const drains: { enqueuedPerSecond: number; drainedPerSecond: number }[] = []
      const steady: number[] = []
      for (let round = 1; round <= options.rounds; round++) {
        progress.begin(`graphile-worker: draining ${jobs} jobs, round ${round} of ${options.rounds}`)
        drains.push(await measureDrain(queue, jobs, progress))
        progress.begin(`graphile-worker: both sides at once, round ${round} of ${options.rounds}`)
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
        remark: `no-op, local queue of ${settings.localQueue.size}, steady; drain alone ${drained}/s`,
      }
    } finally {
      await utils.release()
    }
  } finally {
    await watch.end()
    await database.drop()
  }
}
