import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import type { ChunkJob } from './dispatcher.ts'

export interface Completer {
  /** Resolves when the jobs are done with: completed, or left to lapse, which does no harm but some work twice. */
  complete(queue: string, jobs: readonly ChunkJob[]): Promise<void>
  /** Lingers no more from now on. */
  hurry(): void
}

interface Batch {
  jobs: ChunkJob[]
  done: PromiseWithResolvers<void>
  timer: NodeJS.Timeout
}

/** How long jobs of a queue wait for others: a statement costs about the same for one as for dozens. */
const lingerMs = 40

/**
 * Completes jobs of a queue together. Nothing waits for it: a job that is worked once more because its completion was
 * lost finds everything done.
 */
export function createCompleter(options: {
  boss: Pick<PgBoss, 'complete'>
  logger: Pick<Logger, 'error'>
  onEnded(jobs: readonly ChunkJob[]): void
}): Completer {
  const waiting = new Map<string, Batch>()
  let hurrying = false

  async function flush(queue: string): Promise<void> {
    const { jobs, done, timer } = waiting.get(queue)!
    waiting.delete(queue)
    clearTimeout(timer)
    try {
      await options.boss.complete(queue, jobs)
    } catch (error) {
      options.logger.error({ err: error, queue }, 'jobs could not be completed; their heartbeat will lapse')
    }
    options.onEnded(jobs)
    done.resolve()
  }

  return {
    complete(queue, jobs) {
      let batch = waiting.get(queue)
      if (!batch) {
        const timer = setTimeout(() => void flush(queue), hurrying ? 0 : lingerMs)
        batch = { jobs: [], done: Promise.withResolvers(), timer }
        waiting.set(queue, batch)
      }
      batch.jobs.push(...jobs)
      return batch.done.promise
    },
    hurry() {
      hurrying = true
      for (const queue of [...waiting.keys()]) void flush(queue)
    },
  }
}
