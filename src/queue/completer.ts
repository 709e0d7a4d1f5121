import type { PgBoss } from 'pg-boss'
import type { Logger } from 'pino'
import type { ChunkJob } from './dispatcher.ts'

export interface Completer {
  /** Resolves when the jobs are done with: completed, or left to lapse, which does no harm but some work twice. */
  complete(queue: string, jobs: readonly ChunkJob[]): Promise<void>
}

interface Batch {
  jobs: ChunkJob[]
  done: Promise<void>
}

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
  const underWay = new Map<string, Promise<void>>()

  async function flush(queue: string, batch: Batch): Promise<void> {
    await underWay.get(queue) // what comes meanwhile goes along
    waiting.delete(queue)
    const completing = options.boss.complete(queue, batch.jobs).then(
      () => {},
      (error) => options.logger.error({ err: error, queue }, 'jobs could not be completed; their heartbeat will lapse'),
    )
    underWay.set(queue, completing)
    await completing
    if (underWay.get(queue) === completing) underWay.delete(queue)
    options.onEnded(batch.jobs)
  }

  return {
    complete(queue, jobs) {
      let batch = waiting.get(queue)
      if (!batch) {
        const fresh: Batch = { jobs: [], done: Promise.resolve() }
        batch = fresh
        waiting.set(queue, fresh)
        fresh.done = flush(queue, fresh)
      }
      batch.jobs.push(...jobs)
      return batch.done
    },
  }
}
