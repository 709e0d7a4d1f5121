import pg from 'pg'
import { type Job, type JobResult, PgBoss, type WorkOptions } from 'pg-boss'
import type { ScenarioContext, ScenarioResult } from '../scenario.ts'
import {
  type Candidate,
  fastest,
  measureInSets,
  measureOneByOne,
  oneByOneLine,
  type SingleSettings,
} from './peer-rounds.ts'
import { measureDrain, type PeerQueue } from './queue-measurements.ts'

interface Settings {
  batchSize: number
  localConcurrency: number
  /** Whether each insert rings: its NOTIFY has commits stand in line. Without it a backlog is fetched all the same. */
  notify: boolean
}

/** What work() is tried with, where a batch has one outcome: the fastest at draining is measured. */
const inSets: Settings[] = [
  { batchSize: 1_000, localConcurrency: 2, notify: true },
  { batchSize: 500, localConcurrency: 2, notify: true },
  { batchSize: 1_000, localConcurrency: 4, notify: true },
  { batchSize: 2_000, localConcurrency: 2, notify: true },
]

interface OneByOne extends Settings, SingleSettings {
  /** A batch whose jobs have outcomes of their own. */
  perJobResults?: true
}

/** Where every job is fetched, handled and completed by itself; workers learn of a backlog within some seconds. */
const alone: OneByOne[] = [
  { batchSize: 1, localConcurrency: 8, notify: false, callers: 8, rampMs: 4_000 },
  { batchSize: 1, localConcurrency: 16, notify: false, callers: 32, rampMs: 4_000 },
  { batchSize: 1, localConcurrency: 8, notify: true, callers: 8, rampMs: 4_000 },
]
/** Where it is sent by itself and has an outcome of its own, and is fetched and completed with others. */
const ownOutcomes: OneByOne[] = [
  { batchSize: 500, localConcurrency: 2, perJobResults: true, notify: false, callers: 16 },
]

const nameOf = ({ notify }: Pick<Settings, 'notify'>): string => (notify ? 'bench' : 'bench-unrung')

/** pg-boss with its own work(), notifications, and a handler that does nothing: jobs in sets, and one by one. */
export async function pgBoss(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, server, progress } = context
  progress.begin('pg-boss: a fresh database')
  const database = await server.fresh('empty')
  const boss = new PgBoss({
    connectionString: database.url,
    max: 24,
    useListenNotify: true,
    // As often as it can, so that a worker of single jobs learns of a backlog and need not wait for its next poll.
    monitorIntervalSeconds: 1,
    superviseIntervalSeconds: 1,
    queueCacheIntervalSeconds: 1,
  })
  const faults: string[] = []
  boss.on('error', (error) => faults.push(error.message))
  const watch = new pg.Pool({ connectionString: database.url, max: 1 })
  try {
    await boss.start()
    for (const notify of [true, false]) await boss.createQueue(nameOf({ notify }), { notify })
    const candidates = <S extends Settings>(settings: readonly S[], single = false): Candidate<S>[] =>
      settings.map((one) => ({ settings: one, queue: queueOf(boss, watch, one, single) }))
    const tried = options.quick ? inSets.slice(1, 2) : inSets
    const { settings, queue } = await fastest(candidates(tried), progress, async (one) => {
      return (await measureDrain(one, options.quick ? 10_000 : 20_000, progress)).drainedPerSecond
    })
    const rates = await measureInSets(queue, context)
    const oneByOne = await measureOneByOne(candidates(options.quick ? alone.slice(0, 1) : alone, true), context)
    const perJobResults = await measureOneByOne(candidates(ownOutcomes, true), context)
    return {
      unit: 'jobs',
      ...rates,
      settings,
      oneByOne,
      oneByOneInBatches: perJobResults,
      remark: `no-op, insert() of 1,000, ${settings.localConcurrency} x batches of ${settings.batchSize}; drain alone ${rates.drainedPerSecond}/s`,
      more: [
        oneByOneLine('one by one', oneByOne, `send() each, ${oneByOne.settings.localConcurrency} x batches of one`),
        oneByOneLine('sent one by one', perJobResults, 'send() each, 2 x batches of 500 with perJobResults'),
      ],
      faults,
    }
  } finally {
    await watch.end()
    await boss.stop({ graceful: false })
    await database.drop()
  }
}

function queueOf(boss: PgBoss, watch: pg.Pool, settings: Settings | OneByOne, single: boolean): PeerQueue {
  const { batchSize, localConcurrency } = settings
  const queueName = nameOf(settings)
  let handled = 0
  let number = 0
  const working: WorkOptions = {
    batchSize,
    localConcurrency,
    ...(batchSize === 1 ? { burstWhenReadyExceeds: 1 } : { burstWhenBatchFull: true }),
    pollingIntervalSeconds: 0.5,
    notifyPollingIntervalSeconds: 0.5,
  }
  return {
    name: 'pg-boss',
    handled: () => handled,
    async enqueue(count) {
      if (single) await boss.send(queueName, { number: number++ })
      else {
        const jobs = Array.from({ length: count }, () => ({ data: { number: number++ } }))
        await boss.insert(queueName, jobs)
      }
    },
    async startWorking() {
      const count = async (jobs: Job[]) => {
        handled += jobs.length
      }
      const countEach = async (jobs: Job[]): Promise<JobResult[]> => {
        handled += jobs.length
        return jobs.map(({ id }) => ({ id, status: 'completed' }))
      }
      if ('perJobResults' in settings) await boss.work(queueName, { ...working, perJobResults: true }, countEach)
      else await boss.work(queueName, { ...working, perJobResults: false }, count)
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
