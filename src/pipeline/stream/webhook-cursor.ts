import type { FeedCursor } from '../../domain/status-event.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'
import { databaseIdentifier } from './feed-cursor.ts'

const renewSql = statement('stream/renew_foreign_subscriptions')
const openSql = statement('stream/open_webhook_cursor')

/**
 * Takes up the lane of status webhooks and switches it on, in a transaction. One that was off goes on where the first
 * subscription began, so that a subscription made meanwhile misses nothing. Throws FEED_OTHER_DATABASE when the cursor was made
 * in another database.
 */
export async function openWebhookCursor(trx: Queryable, lane: string, now: Date): Promise<FeedCursor> {
  const identifier = await databaseIdentifier(trx)
  const [cursor] = await run<{ xid: string; id: string }>(trx, openSql, [lane, identifier, now])
  if (!cursor) {
    throw new OperationalError(
      'FEED_OTHER_DATABASE',
      `the cursor of lane "${lane}" was made in another database than this one (${identifier}), so its place means nothing here; ` +
        `to go on from now, delete the lane's row in carillon.feed_cursors`,
    )
  }
  return cursor
}

/** Subscriptions that came with a dump from another database begin anew. Call it before openWebhookCursor. */
export async function renewForeignSubscriptions(trx: Queryable): Promise<void> {
  await run(trx, renewSql, [])
}
