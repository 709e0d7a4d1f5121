import { type Queryable, run, statement } from '../platform/db.ts'
import type { Chunk } from './queues.ts'

const enqueueSql = statement('queue/enqueue')

export interface NewJob {
  queue: string
  data: Chunk
  priority: number
  /** Absent: at once. */
  startAfter?: Date
}

/** Puts jobs on their queues in the caller's transaction: they exist if and when it commits. */
export async function enqueue(trx: Queryable, jobs: readonly NewJob[]): Promise<void> {
  if (jobs.length === 0) return
  const rows = jobs.map(({ queue, data, priority, startAfter }) => ({ queue, data, priority, start_after: startAfter }))
  await run(trx, enqueueSql, [JSON.stringify(rows)])
}
