import type { EventData } from '../domain/event-types.ts'
import { lastIdOf } from '../domain/ids.ts'
import type { FeedCursor } from '../domain/status-event.ts'
import { type Queryable, run, type Statement, statement } from '../platform/db.ts'
import { storyBounds } from './id-bounds.ts'

export interface InboxItemRow {
  id: string
  xid: string
  recipient_id: string
  title: string
  body: string | null
  body_html: string | null
  seen_at: Date | null
  read_at: Date | null
  archived_at: Date | null
}

const itemsOf = statement('read/inbox_items_of')
const feedSql = statement('read/inbox_feed')

/** The inbox items of these notifications, in no order. */
export async function findInboxItems(
  on: Queryable,
  tenantId: string,
  notifications: readonly { id: string; recipientId: string }[],
): Promise<InboxItemRow[]> {
  if (notifications.length === 0) return []
  const recipients = notifications.map(({ recipientId }) => recipientId)
  const bounds = storyBounds(notifications.map(({ id }) => id))
  return run<InboxItemRow & Record<string, unknown>>(on, itemsOf, [tenantId, recipients, ...bounds])
}

/** What came into an inbox after a place and with a transaction below `before`, a horizon, in the feed's order. */
export async function readInboxFeed(
  on: Queryable,
  tenantId: string,
  recipientId: string,
  after: FeedCursor,
  options: { before: string; limit: number },
): Promise<FeedCursor[]> {
  return run<{ id: string; xid: string }>(on, feedSql, [
    tenantId,
    recipientId,
    after.xid,
    after.id,
    options.before,
    options.limit,
  ])
}

const horizonSql: Statement = {
  name: 'feed_horizon',
  text: `select pg_current_snapshot()::text as snapshot, pg_snapshot_xmin(pg_current_snapshot())::text as xmin`,
}

/** What is committed now, and the least transaction that may still write. */
export interface Horizon {
  snapshot: string
  xmin: string
}

export async function readHorizon(on: Queryable): Promise<Horizon> {
  const [row] = await run<{ snapshot: string; xmin: string }>(on, horizonSql, [])
  return row!
}

export interface InboxPage {
  recipientId: string
  unread?: boolean
  archived: boolean
  below?: string
  above?: string
  newestFirst: boolean
  limit: number
}

const pageText = (newestFirst: boolean) => `select i.id from carillon.inbox_items i
  where i.tenant_id = $1::uuid and i.recipient_id = $2::text
    and ($3::boolean is null or (i.read_at is null) = $3::boolean)
    and (i.archived_at is not null) = $4::boolean
    and i.id < $5::uuid and i.id > $6::uuid
  order by i.id ${newestFirst ? 'desc' : 'asc'} limit $7::int`
const newestFirstSql: Statement = { name: 'inbox_page_desc', text: pageText(true) }
const oldestFirstSql: Statement = { name: 'inbox_page_asc', text: pageText(false) }

/** One page of an inbox: the ids of its items. */
export async function pageInbox(on: Queryable, tenantId: string, page: InboxPage): Promise<string[]> {
  const rows = await run<{ id: string }>(on, page.newestFirst ? newestFirstSql : oldestFirstSql, [
    tenantId,
    page.recipientId,
    page.unread ?? null,
    page.archived,
    page.below ?? wholeInbox.last,
    page.above ?? wholeInbox.first,
    page.limit,
  ])
  return rows.map((row) => row.id)
}

export type InboxMark = 'seen' | 'read' | 'archived'

/** An item, with what its events say of where it came from; null where the intent is past its retention. */
export interface MarkedItem {
  id: string
  story: EventData | null
}

/** What a mark changed: the items, and how many of them counted as unread and unseen before. */
export interface MarkedItems {
  items: MarkedItem[]
  unread: number
  unseen: number
}

/** Which items a mark has something to do for, and what it writes: to read a thing is to see it. */
const marks: Record<InboxMark, { open: string; set: string; unread: string; unseen: string }> = {
  seen: {
    open: 'i.seen_at is null',
    set: 'seen_at = $5::timestamptz',
    unread: 'false',
    unseen: 'open.archived_at is null',
  },
  read: {
    open: 'i.read_at is null',
    set: 'read_at = $5::timestamptz, seen_at = coalesce(i.seen_at, $5::timestamptz)',
    unread: 'open.archived_at is null',
    unseen: 'open.archived_at is null and open.seen_at is null',
  },
  archived: {
    open: 'i.archived_at is null',
    set: 'archived_at = $5::timestamptz',
    unread: 'open.read_at is null',
    unseen: 'open.seen_at is null',
  },
}

function markStatement(mark: InboxMark): Statement {
  const { open, set, unread, unseen } = marks[mark]
  return {
    name: `inbox_mark_${mark}`,
    text: `with open as materialized (
    select i.id, i.seen_at, i.read_at, i.archived_at from carillon.inbox_items i
    where i.tenant_id = $1::uuid and i.recipient_id = $2::text and i.id >= $3::uuid and i.id <= $4::uuid and ${open}
    order by i.id for update
  ), marked as (
    update carillon.inbox_items i set ${set}
    from open where i.tenant_id = $1::uuid and i.recipient_id = $2::text and i.id = open.id
      and i.id >= $3::uuid and i.id <= $4::uuid
    returning i.id, ${unread} as was_unread, ${unseen} as was_unseen
  )
  select m.id, m.was_unread, m.was_unseen,
    (select json_build_object('type', x.type, 'category', x.category, 'idempotency_key', x.idempotency_key,
                              'correlation_id', x.correlation_id, 'traceparent', x.traceparent)
     from carillon.intents x where x.tenant_id = $1::uuid and x.id = carillon.intent_id_of(m.id)) as story
  from marked m`,
  }
}
const markStatements = { seen: markStatement('seen'), read: markStatement('read'), archived: markStatement('archived') }

/**
 * Marks what is not marked yet, within a range of ids: one notification's story, or a whole inbox. Locks the items, in
 * the order of their ids; the counters come after them, in the same transaction.
 */
export async function markInboxItems(
  on: Queryable,
  tenantId: string,
  recipientId: string,
  mark: InboxMark,
  range: { first: string; last: string },
  now: Date,
): Promise<MarkedItems> {
  const rows = await run<MarkedItem & { was_unread: boolean; was_unseen: boolean }>(on, markStatements[mark], [
    tenantId,
    recipientId,
    range.first,
    range.last,
    now,
  ])
  return {
    items: rows.map(({ id, story }) => ({ id, story })),
    unread: rows.filter((row) => row.was_unread).length,
    unseen: rows.filter((row) => row.was_unseen).length,
  }
}

/** The range of a whole inbox. */
export const wholeInbox = {
  first: '00000000-0000-0000-0000-000000000000',
  last: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
}

/** The range of one notification. */
export const storyOf = (notificationId: string) => ({ first: notificationId, last: lastIdOf(notificationId) })
