import type { FeedCursor } from '../../domain/status-event.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'

const systemIdentifierSql = statement('stream/read_system_identifier')
const databaseOidsSql = statement('stream/read_database_oids')
const openSql = statement('stream/open_cursor')
const moveSql = statement('stream/move_cursor')
const disableSql = statement('stream/disable_cursor')

/**
 * Takes up a lane where it stands, or begins it at the log's beginning, and switches it on. Throws FEED_OTHER_DATABASE
 * when the cursor was made in another database: its transaction numbers mean nothing here.
 */
export async function openCursor(on: Queryable, lane: string, now: Date): Promise<FeedCursor> {
  const identifier = await databaseIdentifier(on)
  const [cursor] = await run<{ xid: string; id: string }>(on, openSql, [lane, identifier, now])
  if (cursor) return cursor
  throw new OperationalError(
    'FEED_OTHER_DATABASE',
    `the cursor of feed lane "${lane}" was made in another database than this one (${identifier}), so its place means nothing here; ` +
      `to publish this database's log from its beginning, delete the lane's row in carillon.feed_cursors`,
  )
}

/** Moves the cursor, if it still stands where the caller read it. False: another process has moved it. */
export async function moveCursor(
  on: Queryable,
  lane: string,
  from: FeedCursor,
  to: FeedCursor,
  now: Date,
): Promise<boolean> {
  const moved = await on.query({ ...moveSql, values: [lane, from.xid, from.id, to.xid, to.id, now] })
  return moved.rowCount === 1
}

/** Switches a lane off, so that retention does not wait for it; a lane that never was stays none. */
export async function disableCursor(on: Queryable, lane: string, now: Date): Promise<void> {
  await run(on, disableSql, [lane, now])
}

/** Which database this is, as cursors keep it. */
export async function databaseIdentifier(on: Queryable): Promise<string> {
  try {
    const [row] = await run<{ identifier: string }>(on, systemIdentifierSql, [])
    return row!.identifier
  } catch (error) {
    if ((error as { code?: unknown }).code !== '42501') throw error
    const [row] = await run<{ identifier: string }>(on, databaseOidsSql, [])
    return row!.identifier
  }
}
