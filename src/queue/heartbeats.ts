import { performance } from 'node:perf_hooks'
import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import type { ChunkJob } from './dispatcher.ts'

export interface Heartbeats {
  /** These jobs are this process's from now on. */
  own(jobs: readonly ChunkJob[]): void
  /** Whether nobody else can have taken one of them over meanwhile. */
  isOurs(jobs: readonly ChunkJob[]): boolean
  forget(jobs: readonly ChunkJob[]): void
  stop(): void
}

const everyMs = 3_000
/** After so long without an answer, somebody else may take a job over at any moment (see queues.ts: 10 s). */
const silenceMs = 8_500

/** Tells pg-boss that jobs are still in work here, so that a killed worker's go to another within seconds. */
export function startHeartbeats(on: { boss: Pick<PgBoss, 'touch'>; logger: Pick<Logger, 'warn'> }): Heartbeats {
  const inWork = new Set<ChunkJob>()
  /** When each job's heartbeat was last heard of. */
  const beatenMs = new WeakMap<ChunkJob, number>()
  /** Jobs that a heartbeat no longer found: another worker has them. */
  const lost = new WeakSet<ChunkJob>()

  async function beat(): Promise<void> {
    for (const [queue, jobs] of Map.groupBy(inWork, (job) => job.name)) {
      const askedMs = performance.now()
      try {
        const { settled } = (await on.boss.touch(queue, jobs)) as { settled?: string[] } // its types leave it out
        const held = new Set(settled ?? jobs.map(({ id }) => id))
        for (const job of jobs) {
          if (held.has(job.id)) beatenMs.set(job, askedMs)
          else if (inWork.has(job)) lost.add(job)
        }
      } catch (error) {
        on.logger.warn({ err: error, queue }, 'a heartbeat failed')
      }
    }
  }

  const timer = setInterval(() => void beat(), everyMs)
  return {
    own(jobs) {
      for (const job of jobs) {
        inWork.add(job)
        beatenMs.set(job, performance.now())
      }
    },
    isOurs(jobs) {
      const leastMs = performance.now() - silenceMs
      return jobs.every((job) => !lost.has(job) && beatenMs.get(job)! > leastMs)
    },
    forget(jobs) {
      for (const job of jobs) inWork.delete(job)
    },
    stop: () => clearInterval(timer),
  }
}
