import { Logger, makeWorkerUtils, type Runner, run, runMigrations, type WorkerUtils } from 'graphile-worker'
import pg from 'pg'
import type { ScenarioContext, ScenarioResult } from '../scenario.ts'
import { measureInSets, measureOneByOne, oneByOneLine } from './peer-rounds.ts'
import { measureDrain, type PeerQueue } from './queue-measurements.ts'

/** The settings of https://worker.graphile.org/docs/performance, for one process. */
const settings = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
}

/** For jobs that come one a call: its fetches wait for some more, instead of answering every NOTIFY. */
const singly = { ...settings, localQueue: { size: 500, refetchDelay: { durationMs: 20, threshold: 100 } } }
const singleSettings = [
  { ...singly, callers: 8 },
  { ...singly, callers: 24 },
  { ...settings, callers: 8 },
]

const silent = new Logger(() => () => {})

/** Graphile Worker with a task that does nothing and its local queue: jobs in sets by addJobs, and one by one by addJob. */
export async function graphileWorker(context: ScenarioContext): Promise<ScenarioResult> {
  const { server, progress } = context
  progress.begin('graphile-worker: a fresh database')
  const database = await server.fresh('empty')
  const preset = { worker: { connectionString: database.url, logger: silent, ...settings } }
  const watch = new pg.Pool({ connectionString: database.url, max: 1 })
  try {
    await runMigrations({ preset })
    const utils = await makeWorkerUtils({ preset })
    try {
      const queue = queueOf(preset, utils, watch, false)
      progress.begin('graphile-worker: warming up')
      await measureDrain(queue, 10_000, progress)
      const rates = await measureInSets(queue, context)
      // Every job has an outcome of its own here anyway.
      const singles = (context.options.quick ? singleSettings.slice(0, 1) : singleSettings).map((one) => {
        const { callers: _callers, ...worker } = one
        return { settings: one, queue: queueOf({ worker: { ...preset.worker, ...worker } }, utils, watch, true) }
      })
      const oneByOne = await measureOneByOne(singles, context)
      return {
        unit: 'jobs',
        ...rates,
        settings,
        oneByOne,
        remark: `no-op, addJobs of 1,000, local queue of ${settings.localQueue.size}; drain alone ${rates.drainedPerSecond}/s`,
        more: [oneByOneLine('one by one', oneByOne, 'addJob each')],
      }
    } finally {
      await utils.release()
    }
  } finally {
    await watch.end()
    await database.drop()
  }
}

function queueOf(
  preset: { worker: { connectionString: string } },
  utils: WorkerUtils,
  watch: pg.Pool,
  single: boolean,
): PeerQueue {
  let handled = 0
  let number = 0
  let runner: Runner | undefined
  return {
    name: 'graphile-worker',
    handled: () => handled,
    async enqueue(count) {
      if (single) await utils.addJob('noop', { number: number++ })
      else {
        const jobs = Array.from({ length: count }, () => ({ identifier: 'noop', payload: { number: number++ } }))
        await utils.addJobs(jobs)
      }
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
}
