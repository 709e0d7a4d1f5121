import { type Queryable, run, statement } from '../platform/db.ts'
import type { Chunk } from './queues.ts'

const enqueueSql = statement('queue/enqueue')

export interface NewJob {
  /** Absent: a fresh one. */
  id?: string
  queue: string
  data: Chunk
  priority: number
  /** Absent: at once. */
  startAfter?: Date
  /** Born as fetched: this process works it itself, after the commit. */
  claimed?: boolean
}

/** Puts jobs on their queues in the caller's transaction: they exist if and when it commits. */
export async function enqueue(trx: Queryable, jobs: readonly NewJob[]): Promise<void> {
  if (jobs.length === 0) return
  await run(trx, enqueueSql, [JSON.stringify(jobRows(jobs))])
}

/** Jobs as carillon.enqueue takes them. */
export function jobRows(jobs: readonly NewJob[]): object[] {
  return jobs.map(({ id, queue, data, priority, startAfter, claimed }) => ({
    id,
    queue,
    data,
    priority,
    start_after: startAfter,
    claimed,
  }))
}
