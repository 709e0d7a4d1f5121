import type pg from 'pg'
import type { JobWithMetadata, PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import { run, statement } from '../platform/db.ts'
import type { Chunk } from './queues.ts'

const dueSql = statement('queue/due_queues')

export type ChunkJob = Pick<JobWithMetadata<Chunk>, 'id' | 'name' | 'data' | 'retryCount'>

/** Jobs that are worked, completed and failed together. */
export interface Unit {
  jobs: ChunkJob[]
  /** How many ids it works on. */
  size: number
  /** Resolves when all of it is settled. A throw sends its jobs back to be tried again. */
  work(): Promise<void>
}

export interface QueueWork {
  queue: string
  /** Batches in work at once. */
  concurrency: number
  /** Jobs in one batch at most. */
  batchSize: number
  /** Ids of one batch in work at once; the other units of the batch wait. */
  maxSize: number
  units(jobs: ChunkJob[]): Unit[]
}

export interface DispatcherOptions {
  boss: PgBoss
  pool: pg.Pool
  logger: Logger
  work: readonly QueueWork[]
  /** How often an idle dispatcher looks for due work. */
  idlePollMs: number
  onJobs?: (queue: string, outcome: 'completed' | 'failed', count: number) => void
}

export interface Dispatcher {
  /** Looks into a queue now: somebody has just put work there. */
  wake(queue: string): void
  /** Takes no more work from now on. */
  quiesce(): void
  /** Takes no more work; resolves when what is under way has ended, and the rest is handed back. */
  stop(): Promise<void>
}

const busyPollMs = 4
const heartbeatMs = 3_000

/**
 * Drives pg-boss's fetch and complete for many queues: a queue that gave work is asked again at once, the others are
 * looked at together by one cheap statement, a few milliseconds apart while there is work and up to `idlePollMs` when
 * idle. Jobs under way get heartbeats, so that a killed worker's chunks go to another within seconds.
 */
export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const { boss, logger } = options
  const queues = new Map(options.work.map((work) => [work.queue, { work, active: 0, pumping: false, again: false }]))
  type Entry = NonNullable<ReturnType<typeof queues.get>>
  const inWork = new Set<ChunkJob>()
  const running = new Set<Promise<void>>()
  let stopped = false
  let pollMs = options.idlePollMs
  let timer: NodeJS.Timeout | undefined

  async function pump(entry: Entry): Promise<void> {
    if (entry.pumping) {
      entry.again = true
      return
    }
    entry.pumping = true
    try {
      do {
        entry.again = false
        while (!stopped && entry.active < entry.work.concurrency) {
          // Fetched while a stop begins, they are handed back unit by unit.
          const jobs = await boss.fetch<Chunk>(entry.work.queue, { batchSize: entry.work.batchSize })
          if (jobs.length === 0) break
          pollMs = busyPollMs
          start(entry, jobs)
        }
      } while (entry.again && !stopped)
    } catch (error) {
      logger.error({ err: error, queue: entry.work.queue }, 'fetching jobs failed')
    } finally {
      entry.pumping = false
    }
  }

  /** Keeps a promise that nobody awaits until it ends, so that a stop can. */
  function track(work: Promise<void>): Promise<void> {
    const tracked: Promise<void> = work.finally(() => running.delete(tracked))
    running.add(tracked)
    return tracked
  }

  function start(entry: Entry, jobs: ChunkJob[]): void {
    entry.active++
    for (const job of jobs) inWork.add(job)
    void track(
      workBatch(entry.work, jobs).finally(() => {
        entry.active--
        if (!stopped) void track(pump(entry))
      }),
    )
  }

  /** Works the units of a batch side by side, as many as its size allows; one that fails concerns no other. */
  async function workBatch(work: QueueWork, jobs: ChunkJob[]): Promise<void> {
    const underWay = new Set<Promise<void>>()
    let size = 0
    for (const unit of work.units(jobs)) {
      while (size > 0 && size + unit.size > work.maxSize) await Promise.race(underWay)
      size += unit.size
      const ended: Promise<void> = workUnit(work.queue, unit).finally(() => {
        size -= unit.size
        underWay.delete(ended)
        for (const job of unit.jobs) inWork.delete(job)
      })
      underWay.add(ended)
    }
    await Promise.all(underWay)
  }

  /** The worker's shell: the one place where a bug is caught. Its jobs are tried again, later and alone. */
  async function workUnit(queue: string, { jobs, work }: Unit): Promise<void> {
    let code = 'SHUTTING_DOWN'
    if (!stopped) {
      try {
        await work()
        await boss.complete(queue, jobs)
        options.onJobs?.(queue, 'completed', jobs.length)
        return
      } catch (error) {
        code = codeOf(error)
        logger.error({ err: error, queue, jobs: jobs.length }, 'a chunk failed and will be tried again')
        options.onJobs?.(queue, 'failed', jobs.length)
      }
    }
    try {
      await boss.fail(queue, jobs, { code })
    } catch (error) {
      logger.error({ err: error, queue }, 'jobs could not be handed back; their heartbeat will lapse')
    }
  }

  async function poll(): Promise<void> {
    const idle = [...queues.values()].filter((entry) => entry.active < entry.work.concurrency)
    try {
      const due =
        idle.length === 0
          ? []
          : await run<{ name: string }>(options.pool, dueSql, [idle.map((entry) => entry.work.queue)])
      if (due.length === 0) pollMs = Math.min(options.idlePollMs, pollMs * 2)
      await Promise.all(due.map(({ name }) => track(pump(queues.get(name)!))))
    } catch (error) {
      pollMs = Math.min(5_000, Math.max(pollMs * 2, options.idlePollMs))
      logger.error({ err: error }, 'looking for due work failed')
    }
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => void track(poll()).finally(schedule), pollMs)
  }

  async function beat(): Promise<void> {
    const byQueue = Map.groupBy(inWork, (job) => job.name)
    for (const [queue, jobs] of byQueue) {
      try {
        await boss.touch(queue, jobs)
      } catch (error) {
        logger.warn({ err: error, queue }, 'a heartbeat failed')
      }
    }
  }
  function quiesce(): void {
    stopped = true
    clearTimeout(timer)
  }
  const heartbeat = setInterval(() => void beat(), heartbeatMs)
  schedule()

  return {
    wake(queue) {
      const entry = queues.get(queue)
      if (!entry || stopped) return
      pollMs = busyPollMs
      void track(pump(entry))
    },
    quiesce,
    async stop() {
      quiesce()
      while (running.size > 0) await Promise.all(running)
      clearInterval(heartbeat)
    },
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'Error'
}
