import type pg from 'pg'
import { type FeedCursor, feedStart } from '../../domain/status-event.ts'
import { inTransaction, type Queryable, run, statement } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'
import { databaseIdentifier } from './feed-cursor.ts'
import { readEvents } from './read-events.ts'

const laneSql = statement('stream/read_lane')

export interface Lane {
  /** What is published: everything up to here. The log's start where the lane has never run. */
  cursor: FeedCursor
  state: 'on' | 'off' | 'never run'
  /** The first day of the log, in milliseconds since the epoch: what was before has been dropped. */
  logBeginsMs: number
}

/**
 * Where the relay stands, for those who only look. Throws FEED_OTHER_DATABASE when it stands in another database's log.
 */
export async function readLane(on: Queryable, lane: string): Promise<Lane> {
  interface Row extends Record<string, unknown> {
    xid: string | null
    id: string | null
    enabled: boolean | null
    system_identifier: string | null
    first_day: string | null
  }
  const [row] = await run<Row>(on, laneSql, [lane])
  const { xid, id, enabled, system_identifier, first_day } = row!
  const logBeginsMs = first_day === null ? 0 : Date.parse(`${first_day}T00:00:00Z`)
  if (xid === null || id === null) return { cursor: feedStart, state: 'never run', logBeginsMs }
  if (system_identifier !== (await databaseIdentifier(on))) {
    throw new OperationalError(
      'FEED_OTHER_DATABASE',
      `the cursor of feed lane "${lane}" was made in another database than this one, so what Kafka holds cannot be compared with this log`,
    )
  }
  return { cursor: { xid, id }, state: enabled ? 'on' : 'off', logBeginsMs }
}

/** Whether nothing that can be relied on is waiting to be published. */
export async function hasCaughtUp(pool: pg.Pool, lane: string): Promise<boolean> {
  const { cursor } = await readLane(pool, lane)
  const page = await inTransaction(pool, (trx) => readEvents(trx, cursor, 1))
  return page.events.length === 0
}
