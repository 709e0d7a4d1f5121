import type pg from 'pg'
import type { JobWithMetadata, PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import { run, statement } from '../platform/db.ts'
import { createCompleter } from './completer.ts'
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
  /** Both as one, where that is cheaper and allowed: asked while they wait. */
  merge?(next: Unit): Unit | undefined
}

export interface QueueWork {
  queue: string
  /** Units in work at once. */
  concurrency: number
  /** Jobs in one fetch at most. */
  batchSize: number
  /** Ids in work at once; a unit that is larger is worked alone. */
  maxSize: number
  /** Ids for which a unit is begun while another runs, if it could still grow. */
  worthOwn: number
  /** Ids that this process takes on, in work or waiting for it. What is beyond stays in the queue, for whoever is free. */
  room: number
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
  /**
   * Whether a claimed job of so many ids may be handed over: there is room, and nothing that came before it waits in the
   * queue. Until it is handed over or given back, the room is taken.
   */
  reserve(queue: string, size: number): boolean
  release(queue: string, size: number): void
  /** Works a unit whose jobs were born as fetched, and for which there is a reservation of its size. */
  hand(queue: string, unit: Unit): void
  /** Takes no more work from now on. */
  quiesce(): void
  /** Takes no more work; resolves when what is under way has ended, and the rest is handed back. */
  stop(): Promise<void>
}

const busyPollMs = 4
const heartbeatMs = 3_000
/** How long a small unit waits for the one that runs, which may stand before somebody's lock. */
const patienceMs = 20

/**
 * Drives pg-boss's fetch and complete for many queues: a queue that gave work is asked again at once, the others are
 * looked at together by one cheap statement, a few milliseconds apart while there is work and up to `idlePollMs` when
 * idle. Work that this process has just made itself comes by hand, without a fetch, as long as it keeps up. Jobs under way
 * get heartbeats, so that a killed worker's chunks go to another within seconds.
 */
export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const { boss, logger } = options
  const queues = new Map(
    options.work.map((work) => [
      work.queue,
      {
        work,
        waiting: [] as Unit[],
        running: 0,
        runningSize: 0,
        /** Ids waiting, running or reserved. */
        taken: 0,
        /** Nothing that is due was left in the queue when it was last looked at. */
        drained: false,
        idsPerJob: 1,
        patience: undefined as NodeJS.Timeout | undefined,
        pumping: false,
        again: false,
      },
    ]),
  )
  type Entry = NonNullable<ReturnType<typeof queues.get>>
  const inWork = new Set<ChunkJob>()
  const running = new Set<Promise<void>>()
  const completer = createCompleter({ boss, logger, onEnded: forget })
  let stopped = false
  let pollMs = options.idlePollMs
  let timer: NodeJS.Timeout | undefined

  function forget(jobs: readonly ChunkJob[]): void {
    for (const job of jobs) inWork.delete(job)
  }

  async function pump(entry: Entry): Promise<void> {
    if (entry.pumping) {
      entry.again = true
      return
    }
    entry.pumping = true
    try {
      do {
        entry.again = false
        while (!stopped && entry.taken < entry.work.room) {
          const wanted = Math.ceil((entry.work.room - entry.taken) / entry.idsPerJob)
          const batchSize = Math.max(1, Math.min(entry.work.batchSize, wanted))
          // Fetched while a stop begins, they are handed back unit by unit.
          const jobs = await boss.fetch<Chunk>(entry.work.queue, { batchSize })
          entry.drained = jobs.length < batchSize
          if (jobs.length === 0) break
          pollMs = busyPollMs
          take(entry, jobs)
          if (entry.drained) break
        }
      } while (entry.again && !stopped)
    } catch (error) {
      logger.error({ err: error, queue: entry.work.queue }, 'fetching jobs failed')
    } finally {
      entry.pumping = false
    }
  }

  /** Keeps a promise that nobody awaits until it ends, so that a stop can. */
  function track(work: Promise<void>): void {
    const tracked: Promise<void> = work.finally(() => running.delete(tracked))
    running.add(tracked)
  }

  function take(entry: Entry, jobs: ChunkJob[]): void {
    const units = entry.work.units(jobs)
    const size = units.reduce((sum, unit) => sum + unit.size, 0)
    entry.idsPerJob = Math.max(1, size / jobs.length)
    entry.taken += size
    for (const job of jobs) inWork.add(job)
    entry.waiting.push(...units)
    start(entry)
  }

  /** Works what waits, as much side by side as the queue allows; one unit that fails concerns no other. */
  function start(entry: Entry, small = stopped): void {
    const { work, waiting } = entry
    clearTimeout(entry.patience)
    entry.patience = undefined
    while (waiting.length > 0 && entry.running < work.concurrency) {
      if (entry.runningSize > 0 && entry.runningSize + waiting[0]!.size > work.maxSize) return
      const unit = nextUnit(waiting)
      if (!small && entry.running > 0 && waiting.length === 0 && unit.size < work.worthOwn) {
        waiting.push(unit) // it grows until something else has ended: the busier, the cheaper
        entry.patience ??= setTimeout(() => start(entry, true), patienceMs)
        return
      }
      entry.running++
      entry.runningSize += unit.size
      track(
        workUnit(work.queue, unit).finally(() => {
          entry.running--
          entry.runningSize -= unit.size
          entry.taken -= unit.size
          start(entry)
          if (!stopped && !entry.drained) track(pump(entry))
        }),
      )
    }
  }

  function nextUnit(waiting: Unit[]): Unit {
    let unit = waiting.shift()!
    for (let next = waiting[0]; next; next = waiting[0]) {
      const both = unit.merge?.(next)
      if (!both) break
      unit = both
      waiting.shift()
    }
    return unit
  }

  /** The worker's shell: the one place where a bug is caught. Its jobs are tried again, later and alone. */
  async function workUnit(queue: string, { jobs, work }: Unit): Promise<void> {
    let code = 'SHUTTING_DOWN'
    if (!stopped) {
      try {
        await work()
        options.onJobs?.(queue, 'completed', jobs.length)
        track(completer.complete(queue, jobs))
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
    } finally {
      forget(jobs)
    }
  }

  async function poll(): Promise<void> {
    const open = [...queues.values()].filter(({ taken, work }) => taken < work.room)
    try {
      const due =
        open.length === 0 ? [] : await run<{ name: string }>(options.pool, dueSql, [open.map(({ work }) => work.queue)])
      if (due.length === 0) pollMs = Math.min(options.idlePollMs, pollMs * 2)
      const names = new Set(due.map(({ name }) => name))
      for (const entry of open) {
        entry.drained = !names.has(entry.work.queue)
        if (!entry.drained) track(pump(entry))
      }
    } catch (error) {
      pollMs = Math.min(5_000, Math.max(pollMs * 2, options.idlePollMs))
      logger.error({ err: error }, 'looking for due work failed')
    }
  }

  function schedule(): void {
    if (stopped) return
    timer = setTimeout(() => track(poll().finally(schedule)), pollMs)
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
      entry.drained = false
      track(pump(entry))
    },
    reserve(queue, size) {
      const entry = queues.get(queue)
      if (!entry || stopped || !entry.drained || entry.taken + size > entry.work.room) return false
      entry.taken += size
      return true
    },
    release(queue, size) {
      queues.get(queue)!.taken -= size
    },
    hand(queue, unit) {
      const entry = queues.get(queue)!
      for (const job of unit.jobs) inWork.add(job)
      entry.waiting.push(unit)
      start(entry)
    },
    quiesce,
    async stop() {
      quiesce()
      completer.hurry()
      for (const entry of queues.values()) {
        entry.work = { ...entry.work, concurrency: Number.POSITIVE_INFINITY, maxSize: Number.POSITIVE_INFINITY }
        start(entry) // to be handed back
      }
      while (running.size > 0) await Promise.all(running)
      clearInterval(heartbeat)
    },
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'Error'
}
