import type { Channel } from '../../domain/channel.ts'
import { lastIdOf } from '../../domain/ids.ts'
import { laneOf } from '../../domain/priority.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { enqueue } from '../../queue/enqueue.ts'
import { type Chunk, deliveriesQueue } from '../../queue/queues.ts'

const abandonedSql = statement('send/abandoned_deliveries')

interface Row extends Record<string, unknown> {
  id: string
  channel: Channel
  priority: number
}

/**
 * Gives jobs of their own to deliveries that were handed over in the job of these intents, by a process that was lost
 * before it had settled them. Call it when that job comes again, after planning (which then claims by jobs of their own);
 * once more does no harm, for one claim only finds them. Gives the queues that have got work.
 */
export async function releaseAbandoned(on: Queryable, chunk: Chunk, jobSize: number): Promise<Set<string>> {
  const ids = [...chunk.ids].sort()
  const rows = await run<Row>(on, abandonedSql, [chunk.tenant_id, ids, ids[0], lastIdOf(ids.at(-1)!)])
  const jobs = [...Map.groupBy(rows, ({ channel, priority }) => `${channel} ${priority}`).values()].flatMap((group) => {
    const { channel, priority } = group[0]!
    const queue = deliveriesQueue(channel, laneOf(priority))
    const parts = Array.from({ length: Math.ceil(group.length / jobSize) }, (_, part) =>
      group.slice(part * jobSize, (part + 1) * jobSize).map(({ id }) => id),
    )
    return parts.map((ids) => ({
      queue,
      data: { tenant_id: chunk.tenant_id, ids, priority, abandoned: true as const },
      priority,
    }))
  })
  await enqueue(on, jobs)
  return new Set(jobs.map(({ queue }) => queue))
}
