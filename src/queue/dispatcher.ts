import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import type { JobWithMetadata, PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import { run, statement } from '../platform/db.ts'
import type { Asked } from './asked.ts'
import { createCompleter } from './completer.ts'
import { startHeartbeats } from './heartbeats.ts'
import { createLine, type Line, type Unit } from './line.ts'
import type { Chunk } from './queues.ts'
import { createShell } from './shell.ts'

const dueSql = statement('queue/due_queues')

export type ChunkJob = Pick<JobWithMetadata<Chunk>, 'id' | 'name' | 'data' | 'retryCount'>

export interface QueueWork {
  queue: string
  /** Units in work at once; a tenant that has none in work may begin one beyond it. */
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
  /** Where jobs of this queue are made of what was asked in SQL. */
  asked?: Asked
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
   * Whether a claimed job of so many ids may be handed over: there is room, and nothing of the tenant waits in the queue
   * before it. Until it is handed over or given back, the room is taken.
   */
  reserve(queue: string, tenant: string, size: number): boolean
  release(queue: string, tenant: string, size: number): void
  /** The same, waiting a moment for room where there is only a want of it: the way by the queue is the dearer one. */
  reserveSoon(queue: string, tenant: string, size: number): Promise<boolean>
  /** Whether little room is left, though nothing waits in the queue. */
  isCongested(queue: string): boolean
  /** Works a unit whose jobs were born as fetched, and for which there is a reservation of its size. */
  hand(queue: string, unit: Unit): void
  /** Takes no more work from now on. */
  quiesce(): void
  /** Takes no more work; resolves when what is under way has ended, and the rest is handed back. */
  stop(): Promise<void>
}

const busyPollMs = 4
/** How long planning waits for room to send. */
const roomPatienceMs = 100
/** With no more than this share of the room left, accepting waits for planning; a tenant alone leaves a quarter. */
const congestedShare = 0.4

interface Entry {
  work: QueueWork
  line: Line
  /** When the queue was last looked at, nothing that is due was left in it, but for the tenants `behind`. */
  drained: boolean
  /** Tenants that have taken their share of the room; what they have in the queue was passed over. */
  behind: ReadonlySet<string>
  idsPerJob: number
  taking: boolean
  pumping: boolean
  again: boolean
}

/**
 * Drives pg-boss's fetch and complete for many queues: a queue that gave work is asked again at once, the others are
 * looked at together by one cheap statement, a few milliseconds apart while there is work and up to `idlePollMs` when
 * idle. Work that this process has just made itself comes by hand, without a fetch, as long as it keeps up. A tenant with
 * much work leaves room to the others. Jobs under way get heartbeats, so that a killed worker's chunks go to another
 * within seconds.
 */
export function startDispatcher(options: DispatcherOptions): Dispatcher {
  const { boss, logger } = options
  const heartbeats = startHeartbeats({ boss, logger })
  const { own } = heartbeats
  const running = new Set<Promise<void>>()
  const completer = createCompleter({ boss, logger, onEnded: heartbeats.forget })
  let stopped = false
  let pollMs = options.idlePollMs
  let timer: NodeJS.Timeout | undefined
  const workUnit = createShell({ ...options, heartbeats, completer, track, isStopped: () => stopped })
  const queues = new Map<string, Entry>()
  for (const work of options.work) {
    const line = createLine(work, {
      run: (unit) => workUnit(work.queue, unit),
      track,
      onFree() {
        if (!stopped && (!entry.drained || entry.behind.size > 0)) track(pump(entry))
      },
    })
    const idle = { taking: false, pumping: false, again: false }
    const entry: Entry = { work, line, drained: false, behind: new Set(), idsPerJob: 1, ...idle }
    queues.set(work.queue, entry)
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
        while (!stopped && entry.line.room() > 0) {
          const full = entry.line.fullTenants()
          const wanted = Math.ceil(entry.line.room() / entry.idsPerJob)
          const batchSize = Math.max(1, Math.min(entry.work.batchSize, wanted))
          // Fetched while a stop begins, they are handed back unit by unit.
          const jobs = await boss.fetch<Chunk>(entry.work.queue, { batchSize, ignoreGroups: full })
          entry.drained = jobs.length < batchSize
          entry.behind = new Set(full)
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
    own(jobs)
    for (const unit of units) {
      entry.line.take(unit.tenant, unit.size)
      entry.line.add(unit)
    }
  }

  /** Makes jobs of what was asked in SQL. While others wait in the queue, and for want of room, they go behind those. */
  async function takeAsked(entry: Entry, asked: Asked): Promise<void> {
    entry.taking = true
    try {
      const full = [...entry.line.fullTenants(), ...entry.behind]
      const { claimed, othersDue } = await asked.take(entry.drained ? entry.line.room() : 0, full)
      if (claimed.length > 0 || othersDue) pollMs = busyPollMs
      if (claimed.length > 0) take(entry, claimed)
      if (!othersDue) return
      entry.drained = false
      track(pump(entry))
    } catch (error) {
      logger.error({ err: error, queue: entry.work.queue }, 'taking what was asked failed')
    } finally {
      entry.taking = false
    }
  }

  async function poll(): Promise<void> {
    const all = [...queues.values()]
    const open = all.filter(({ line }) => line.room() > 0)
    const asked = all.flatMap(({ work, taking }) => (taking ? [] : (work.asked ?? [])))
    try {
      const due = await run<{ name: string; asked: boolean }>(options.pool, dueSql, [
        open.map(({ work }) => work.queue),
        asked.map(({ lane }) => lane),
        asked.map((lane) => lane.seen()),
      ])
      if (due.length === 0 && !all.some(({ taking }) => taking)) pollMs = Math.min(options.idlePollMs, pollMs * 2)
      const names = new Set(due.filter(({ asked }) => !asked).map(({ name }) => name))
      for (const entry of open) {
        if (names.has(entry.work.queue)) track(pump(entry))
        else {
          entry.drained = true
          entry.behind = new Set()
        }
      }
      const lanes = new Set<string>(due.filter(({ asked }) => asked).map(({ name }) => name))
      for (const entry of all) {
        // Not awaited: a taking of thousands would keep CRITICAL from being looked at.
        if (entry.work.asked && lanes.has(entry.work.asked.lane)) track(takeAsked(entry, entry.work.asked))
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

  function quiesce(): void {
    stopped = true
    clearTimeout(timer)
  }
  schedule()

  function reserve(queue: string, tenant: string, size: number): boolean {
    const entry = queues.get(queue)
    if (!entry || !isDirect(entry, tenant) || !entry.line.hasRoomFor(tenant, size)) return false
    entry.line.take(tenant, size)
    return true
  }

  /** Whether what lies in the queue is likely to be gone within the patience: never so where a provider is slow. */
  const isFast = ({ line }: Entry, size: number) => line.perSecond() * (roomPatienceMs / 1_000) >= size

  const isDirect = ({ drained, behind }: Entry, tenant: string) => !stopped && drained && !behind.has(tenant)

  return {
    wake(queue) {
      const entry = queues.get(queue)
      if (!entry || stopped) return
      pollMs = busyPollMs
      entry.drained = false
      track(pump(entry))
    },
    reserve,
    async reserveSoon(queue, tenant, size) {
      const entry = queues.get(queue)!
      const untilMs = performance.now() + roomPatienceMs
      while (!reserve(queue, tenant, size)) {
        const leftMs = untilMs - performance.now()
        if (leftMs <= 0 || stopped || (!isDirect(entry, tenant) && !isFast(entry, size))) return false
        await entry.line.freed(leftMs)
      }
      return true
    },
    isCongested(queue) {
      const { drained, line, work } = queues.get(queue)!
      return drained && line.room() < work.room * congestedShare
    },
    release: (queue, tenant, size) => queues.get(queue)!.line.giveBack(tenant, size),
    hand(queue, unit) {
      own(unit.jobs)
      queues.get(queue)!.line.add(unit)
    },
    quiesce,
    async stop() {
      quiesce()
      completer.hurry()
      for (const { line } of queues.values()) line.openUp() // what waits is handed back
      await Promise.all([...queues.values()].map(({ line }) => line.emptied()))
      while (running.size > 0) await Promise.all(running)
      heartbeats.stop()
    },
  }
}
