import { type FeedCursor, feedStart, type StatusEvent } from '../../domain/status-event.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'

const horizonSql = statement('stream/read_horizon')
const eventsSql = statement('stream/read_status_events')

interface Row extends Record<string, unknown> {
  tenant_id: string
  subject_id: string
  id: string
  xid: string
  type: string
  at: Date
  data: Record<string, unknown>
}

export interface FeedPage {
  /** In the order of the log: by (xid, id). */
  events: StatusEvent[]
  /** Where to read on. It may lie past the last event, where nothing more can come in. */
  next: FeedCursor
}

/** The log's end as it can be relied on: whatever is not yet visible to a new snapshot will come after this place. */
export async function readHorizon(trx: Queryable): Promise<FeedCursor> {
  const [row] = await run<{ horizon: string }>(trx, horizonSql, [])
  return { xid: row!.horizon, id: feedStart.id }
}

/**
 * The next events after a place in the log, at most `limit`, and none that an open transaction could still precede.
 * Call it inside a transaction: its planner settings end there. An idle log costs one statement that touches no table.
 * Throws FEED_AHEAD_OF_DATABASE when the place is past the log's end, which only a restored database can bring about.
 */
export async function readEvents(trx: Queryable, after: FeedCursor, limit: number): Promise<FeedPage> {
  const horizon = await readHorizon(trx)
  const ahead = BigInt(after.xid) - BigInt(horizon.xid)
  if (ahead > 0n) {
    throw new OperationalError(
      'FEED_AHEAD_OF_DATABASE',
      `the cursor stands at transaction ${after.xid}, and the database is only at ${horizon.xid}: it was set back to an earlier state`,
    )
  }
  if (ahead === 0n) return { events: [], next: after }
  const rows = await run<Row>(trx, eventsSql, [after.xid, after.id, limit])
  const last = rows.at(-1)
  const readToTheEnd = rows.length < limit && (!last || BigInt(last.xid) < BigInt(horizon.xid))
  return { events: rows.map(toEvent), next: readToTheEnd || !last ? horizon : { xid: last.xid, id: last.id } }
}

function toEvent(row: Row): StatusEvent {
  return {
    tenantId: row.tenant_id,
    subjectId: row.subject_id,
    id: row.id,
    xid: row.xid,
    type: row.type,
    at: row.at,
    data: row.data,
  }
}
