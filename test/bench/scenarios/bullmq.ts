import { type ConnectionOptions, Queue, Worker } from 'bullmq'
import { type Fsync, startRedis } from '../redis.ts'
import type { ScenarioContext, ScenarioResult } from '../scenario.ts'
import { type Candidate, fastest, measureInSets, measureOneByOne, oneByOneLine } from './peer-rounds.ts'
import { measureDrain, measureSteady, oneByOne as oneByOneFeed, type PeerQueue } from './queue-measurements.ts'

interface Settings {
  concurrency: number
}

const advised = 'appendonly yes, appendfsync everysec'
const settingsToTry: Settings[] = [{ concurrency: 400 }, { concurrency: 100 }]
/** Of add(), one at a time each. */
const callers = 64
/** Of this run's own, for a Redis that is given may have others. */
const queueName = `carillon-bench-${process.pid}`

/** BullMQ on a Redis with an append-only file, and a processor that does nothing: jobs by addBulk, and by add. */
export async function bullmq(context: ScenarioContext): Promise<ScenarioResult> {
  const { options, progress } = context
  const given = process.env.REDIS_URL
  if (given)
    return { ...(await measure(context, { url: given })), redis: 'given by REDIS_URL, with settings of its own' }
  const asAdvised = await withRedis('everysec', (connection) => measure(context, connection))
  if (!asAdvised) return { unit: 'jobs', perSecond: null, remark: 'not measured: no redis-server' }
  if (options.quick) return { ...asAdvised, redis: advised }
  // As durable as Postgres here: only beside the headline, which is BullMQ's own advice.
  const durable = await withRedis('always', async (connection) => {
    const seconds = Math.max(2, Math.ceil(options.seconds / 4))
    return withQueue(connection, asAdvised.settings as Settings, true, async (single) => {
      progress.begin('bullmq: appendfsync always, one by one')
      const one = await measureSteady(single, seconds, progress, oneByOneFeed(callers))
      return withQueue(connection, asAdvised.settings as Settings, false, async (sets) => {
        progress.begin('bullmq: appendfsync always')
        return { perSecond: await measureSteady(sets, seconds, progress), oneByOne: one }
      })
    })
  })
  const fsyncing = 'appendfsync always, as Postgres here'
  return {
    ...asAdvised,
    redis: advised,
    appendfsyncAlways: durable,
    more: [
      ...(asAdvised.more ?? []),
      {
        name: 'each write on disk',
        perSecond: durable?.perSecond,
        unit: 'jobs',
        remark: `addBulk of 1,000; ${fsyncing}`,
      },
      { name: '… one by one', perSecond: durable?.oneByOne, unit: 'jobs', remark: `add() each; ${fsyncing}` },
    ],
  }
}

async function withRedis<T>(fsync: Fsync, work: (connection: ConnectionOptions) => Promise<T>): Promise<T | undefined> {
  const redis = await startRedis(fsync)
  if (!redis) return undefined
  try {
    return await work({ host: redis.host, port: redis.port })
  } finally {
    await redis.stop()
  }
}

async function measure(context: ScenarioContext, connection: ConnectionOptions): Promise<ScenarioResult> {
  const { options, progress } = context
  const opened: { close(): Promise<void> }[] = []
  const candidates = (single: boolean): Candidate<Settings>[] =>
    settingsToTry.map((settings) => {
      const { queue, close } = queueOf(connection, settings, single)
      opened.push({ close })
      return { settings, queue }
    })
  try {
    const sets = candidates(false)
    const best = await fastest(options.quick ? sets.slice(0, 1) : sets, progress, async (queue) => {
      return (await measureDrain(queue, options.quick ? 10_000 : 20_000, progress)).drainedPerSecond
    })
    const rates = await measureInSets(best.queue, context)
    const singles = candidates(true).map(({ settings, queue }) => ({ settings: { ...settings, callers }, queue }))
    const oneByOne = await measureOneByOne(options.quick ? singles.slice(0, 1) : singles, context)
    return {
      unit: 'jobs',
      ...rates,
      settings: best.settings,
      oneByOne,
      remark: `no-op, addBulk of 1,000, concurrency ${best.settings.concurrency}; drain alone ${rates.drainedPerSecond}/s`,
      more: [oneByOneLine('one by one', oneByOne, `add() each, concurrency ${oneByOne.settings.concurrency}`)],
    }
  } finally {
    for (const { close } of opened) await close()
  }
}

async function withQueue<T>(
  connection: ConnectionOptions,
  settings: Settings,
  single: boolean,
  work: (queue: PeerQueue) => Promise<T>,
): Promise<T> {
  const { queue, close } = queueOf(connection, settings, single)
  try {
    return await work(queue)
  } finally {
    await close()
  }
}

function queueOf(connection: ConnectionOptions, { concurrency }: Settings, single: boolean) {
  const jobs = new Queue(queueName, { connection })
  let handled = 0
  let number = 0
  let worker: Worker | undefined
  const queue: PeerQueue = {
    name: 'bullmq',
    handled: () => handled,
    async enqueue(count) {
      if (single) await jobs.add('noop', { number: number++ })
      else await jobs.addBulk(Array.from({ length: count }, () => ({ name: 'noop', data: { number: number++ } })))
    },
    async startWorking() {
      const noop = async () => {
        handled++
      }
      worker = new Worker(queueName, noop, { connection, concurrency, removeOnComplete: { count: 0 } })
      await worker.waitUntilReady()
    },
    async stopWorking() {
      await worker?.close()
      worker = undefined
    },
    async isEmpty() {
      const counts = await jobs.getJobCounts('wait', 'active', 'delayed', 'prioritized')
      return Object.values(counts).every((count) => count === 0)
    },
  }
  const close = async () => {
    await jobs.obliterate({ force: true })
    await jobs.close()
  }
  return { queue, close }
}
