import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import type { Lane } from '../domain/priority.ts'
import type { Clock } from '../platform/clock.ts'
import { run, statement } from '../platform/db.ts'
import type { ChunkJob } from './dispatcher.ts'
import { type Chunk, intentsQueue } from './queues.ts'

const takeSql = statement('queue/take_asked')

/** What carillon.notify has asked for in a lane, until somebody makes jobs of it. */
export interface Asked {
  lane: Lane
  /** What was seen before, for a look whether there is more. */
  seen(): string | null
  /**
   * Takes what was asked, as jobs. Those for which there is `room`, and whose tenants are not `full`, are claimed for this process, and
   * the caller works them; `othersDue` says that there are others in the queue now.
   */
  take(room: number, full: readonly string[]): Promise<{ claimed: ChunkJob[]; othersDue: boolean }>
}

/** Intents in one taking. */
const mostAtOnce = 10_000
/** A snapshot says nothing of a database that was restored or has failed over: from time to time everything counts as new. */
const forgetAfterMs = 30_000

interface Row extends Record<string, unknown> {
  claimed: { id: string; data: Chunk }[]
  others_due: boolean
  seen: string | null
}

/** What this process has seen of one lane's asked intents: see sql/api/15_take_asked.sql. */
export function createAsked(on: { pool: pg.Pool; clock: Clock; lane: Lane; chunkSize: number }): Asked {
  let seen: string | null = null
  let sinceMs = performance.now()

  function recall(): string | null {
    if (performance.now() - sinceMs > forgetAfterMs) seen = null
    return seen
  }

  return {
    lane: on.lane,
    seen: recall,
    async take(room, full) {
      const before = recall()
      const values = [on.lane, before, on.clock.now(), mostAtOnce, on.chunkSize, Math.max(0, Math.floor(room)), full]
      const [row] = await run<Row>(on.pool, takeSql, values)
      if (!row) return { claimed: [], othersDue: false } // another process takes
      if (before === null && row.seen !== null) sinceMs = performance.now()
      seen = row.seen
      const name = intentsQueue(on.lane)
      return {
        claimed: row.claimed.map((job) => ({ ...job, name, retryCount: 0 })),
        othersDue: row.others_due,
      }
    },
  }
}
