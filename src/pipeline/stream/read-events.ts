import { type FeedCursor, feedStart, type StatusEvent } from '../../domain/status-event.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'

const horizonSql = statement('stream/read_horizon')
const eventsSql = {
  all: statement('stream/read_status_events'),
  subscribed: statement('stream/read_subscribed_events'),
}

export interface LogRow extends Record<string, unknown> {
  tenant_id: string
  id: string
  xid: string
  at: Date
  size: number
  events: { subject_id: string; type: string; data: Record<string, unknown> }[]
}

export interface FeedPage {
  /** In the order of the log: by (xid, id). */
  events: StatusEvent[]
  /** Nothing more is to be had for now: what comes is not written yet, or not to be relied on. */
  atEnd: boolean
  /** Where to read on. It may lie past the last event, where nothing more can come in. */
  next: FeedCursor
}

/** The log's end as it can be relied on: whatever is not yet visible to a new snapshot will come after this place. */
export async function readHorizon(trx: Queryable): Promise<FeedCursor> {
  const [row] = await run<{ horizon: string }>(trx, horizonSql, [])
  return { xid: row!.horizon, id: feedStart.id }
}

/**
 * The next events after a place in the log, about `limit` of them, and none that an open transaction could still precede.
 * `subscribed`: only of tenants with a webhook endpoint that is subscribed. Call it inside a transaction: its planner settings end there. An idle log costs one statement that touches no table.
 * Throws FEED_AHEAD_OF_DATABASE when the place is past the log's end, which only a restored database can bring about.
 */
export async function readEvents(
  trx: Queryable,
  after: FeedCursor,
  limit: number,
  whose: 'all' | 'subscribed' = 'all',
): Promise<FeedPage> {
  const horizon = await readHorizon(trx)
  const ahead = BigInt(after.xid) - BigInt(horizon.xid)
  if (ahead > 0n) {
    throw new OperationalError(
      'FEED_AHEAD_OF_DATABASE',
      `the cursor stands at transaction ${after.xid}, and the database is only at ${horizon.xid}: it was set back to an earlier state`,
    )
  }
  if (ahead === 0n) return { events: [], next: after, atEnd: true }
  const rows = await run<LogRow>(trx, eventsSql[whose], [after.xid, after.id, limit])
  const events = rows.flatMap(eventsOf)
  const read = rows.reduce((sum, { size }) => sum + size, 0)
  const atEnd = read < limit
  const last = events.at(-1)
  // The events were read a moment after the horizon, and may lie past it.
  const next = last && (!atEnd || BigInt(last.xid) >= BigInt(horizon.xid)) ? { xid: last.xid, id: last.id } : horizon
  return { events, next: !last && !atEnd ? after : next, atEnd }
}

/** The events of a batch; the last 32 bits of an event's id count within it. */
export function eventsOf(row: LogRow): StatusEvent[] {
  const first = Number.parseInt(row.id.slice(28), 16)
  const prefix = row.id.slice(0, 28)
  return row.events.map((event, place) => ({
    tenantId: row.tenant_id,
    subjectId: event.subject_id,
    id: prefix + (first + place).toString(16).padStart(8, '0'),
    xid: row.xid,
    type: event.type,
    at: row.at,
    data: event.data,
  }))
}
