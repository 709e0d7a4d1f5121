import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import type { Completer } from './completer.ts'
import type { ChunkJob } from './dispatcher.ts'
import type { Heartbeats } from './heartbeats.ts'
import type { Unit } from './line.ts'

export interface ShellDeps {
  boss: Pick<PgBoss, 'fail'>
  logger: Logger
  heartbeats: Pick<Heartbeats, 'isOurs' | 'forget'>
  completer: Pick<Completer, 'complete'>
  /** Keeps a promise that nobody awaits until it ends. */
  track(work: Promise<void>): void
  isStopped(): boolean
  onJobs?: (queue: string, outcome: 'completed' | 'failed', count: number) => void
}

/**
 * The worker's shell: works a unit, and completes its jobs or hands them back. It is the one place where a bug is caught;
 * its jobs are tried again, later and alone.
 */
export function createShell(on: ShellDeps): (queue: string, unit: Unit) => Promise<void> {
  const { boss, logger, completer, track, isStopped } = on
  const { isOurs, forget } = on.heartbeats

  async function workUnit(queue: string, { jobs, work, handsBackItself }: Unit): Promise<void> {
    if (!isOurs(jobs)) {
      logger.warn({ queue, jobs: jobs.length }, 'jobs were taken over while they waited')
      forget(jobs)
      return
    }
    if (isStopped() && !handsBackItself) return handBack(queue, jobs, 'SHUTTING_DOWN')
    const kept: Promise<void>[] = []
    const keepFor = (rest: Promise<void>) => {
      rest.catch(() => {}) // it may fail before it is awaited below
      kept.push(rest)
    }
    const [end] = await Promise.allSettled([work(() => isOurs(jobs), keepFor)])
    if (kept.length === 0) return finish(queue, jobs, [end])
    track(Promise.allSettled(kept).then((ends) => finish(queue, jobs, [end, ...ends])))
  }

  async function finish(queue: string, jobs: ChunkJob[], ends: readonly PromiseSettledResult<void>[]): Promise<void> {
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) {
      logger.error({ err: failed.reason, queue, jobs: jobs.length }, 'a chunk failed and will be tried again')
      on.onJobs?.(queue, 'failed', jobs.length)
      return handBack(queue, jobs, codeOf(failed.reason))
    }
    if (jobs.length === 0) return
    on.onJobs?.(queue, 'completed', jobs.length)
    track(completer.complete(queue, jobs))
  }

  async function handBack(queue: string, jobs: ChunkJob[], code: string): Promise<void> {
    try {
      await boss.fail(queue, jobs, { code })
    } catch (error) {
      logger.error({ err: error, queue }, 'jobs could not be handed back; their heartbeat will lapse')
    } finally {
      forget(jobs)
    }
  }

  return workUnit
}

function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'Error'
}
