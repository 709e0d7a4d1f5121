import type pg from 'pg'
import { firstIdAt } from '../../domain/ids.ts'
import { type FeedCursor, feedStart, type StatusEvent } from '../../domain/status-event.ts'
import { inTransaction, run, statement } from '../../platform/db.ts'
import { eventsOf, type LogRow, readHorizon } from './read-events.ts'

const periodSql = statement('stream/read_period')

/** Which events: those whose ids were made from `from` on and before `to`, and, where it is given, of one tenant. */
export interface FeedPeriod {
  from: Date
  to: Date
  tenantId?: string
}

/**
 * The events of a period in the order of the log, a page at a time, each in a transaction of its own. It ends at the
 * horizon: what an open transaction could still precede is not shown.
 */
export async function* readPeriod(
  pool: pg.Pool,
  { from, to, tenantId }: FeedPeriod,
  pageEvents = 2_000,
): AsyncGenerator<StatusEvent[]> {
  const bounds = [firstIdAt(from.getTime()), firstIdAt(to.getTime()), tenantId ?? null]
  let after: FeedCursor = feedStart
  for (;;) {
    const { xid, id }: FeedCursor = after
    const rows = await inTransaction(pool, async (trx) => {
      await readHorizon(trx)
      return run<LogRow>(trx, periodSql, [xid, id, pageEvents, ...bounds])
    })
    const events = rows.flatMap(eventsOf)
    const last = events.at(-1)
    if (last === undefined) return
    yield events
    if (events.length < pageEvents) return
    after = { xid: last.xid, id: last.id }
  }
}
