import type { DigestItem } from '../domain/digest.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface DigestRow {
  id: string
  recipient_id: string
  key: string
  kind: 'digest' | 'group'
  /** `full`: it collects no more, and is closed within moments. */
  state: 'open' | 'full' | 'closed'
  opened_at: Date
  closes_at: Date
  closed_at: Date | null
  flushed_at: Date | null
  /** window, schedule, size, requested, resolved (a group), or empty: then nothing was sent. */
  close_reason: string | null
  size: number
  count: number
  folded: number | null
  intent_id: string | null
}

export interface DigestMemberRow {
  digest_id: string
  notification_ids: string[]
  item: DigestItem
  resolved: boolean
}

const columns = `d.id, d.recipient_id, d.key, d.kind, d.state, d.opened_at, d.closes_at, d.closed_at, d.flushed_at, d.close_reason, d.size,
  d.count, d.folded, d.intent_id`

export interface DigestPage {
  recipientId: string
  /** true: those that wait, false: those that are closed. */
  waiting?: boolean
  /** Keyset: ids less than this one. */
  before?: string
  limit: number
}

const pageSql: Statement = {
  name: 'digests_page',
  text: `select ${columns} from carillon.digests d
  where d.tenant_id = $1::uuid and d.recipient_id = $2::text and ($3::uuid is null or d.id < $3::uuid)
    and ($4::boolean is null or (d.state <> 'closed') = $4::boolean)
  order by d.id desc limit $5::int`,
}

/** A recipient's digests, the newest first. */
export function pageDigests(on: Queryable, tenantId: string, page: DigestPage): Promise<DigestRow[]> {
  const { recipientId, before, waiting, limit } = page
  return run<DigestRow & Record<string, unknown>>(on, pageSql, [
    tenantId,
    recipientId,
    before ?? null,
    waiting ?? null,
    limit,
  ])
}

const membersSql: Statement = {
  name: 'digest_members_of',
  text: `select m.digest_id, m.notification_ids, m.item, m.resolved from carillon.digest_members m
  where m.tenant_id = $1::uuid and m.digest_id = any ($2::uuid[])
  order by m.digest_id, m.at, m.notification_ids
  limit $3::int`,
}

/** What waits in these digests; a closed one has given its members away. */
export function findDigestMembers(
  on: Queryable,
  tenantId: string,
  digestIds: readonly string[],
  limit: number,
): Promise<DigestMemberRow[]> {
  return run<DigestMemberRow & Record<string, unknown>>(on, membersSql, [tenantId, digestIds, limit])
}

const requestSql: Statement = {
  name: 'digests_request_closing',
  text: `update carillon.digests d
  set closes_at = least(d.closes_at, $3::timestamptz), close_reason = coalesce(d.close_reason, 'requested')
  where d.tenant_id = $1::uuid and d.id = $2::uuid and d.state <> 'closed'
  returning ${columns}`,
}

/** Makes a digest due now; undefined where there is none that waits. */
export async function requestClosing(
  on: Queryable,
  tenantId: string,
  id: string,
  now: Date,
): Promise<DigestRow | undefined> {
  const [row] = await run<DigestRow & Record<string, unknown>>(on, requestSql, [tenantId, id, now])
  return row
}

const postponeSql: Statement = {
  name: 'digests_postpone',
  text: `update carillon.digests d set closes_at = $3::timestamptz
  where d.tenant_id = $1::uuid and d.id = any ($2::uuid[]) and d.state <> 'closed'`,
}

export async function postponeDigests(on: Queryable, tenantId: string, ids: readonly string[], until: Date) {
  await run(on, postponeSql, [tenantId, ids, until])
}

const lockSql: Statement = {
  name: 'digests_lock_of_notification',
  text: `select d.id from carillon.notifications n
  join carillon.digests d on d.tenant_id = n.tenant_id and d.id = n.digest_id
  where n.tenant_id = $1::uuid and n.id = $2::uuid and d.state <> 'closed'
  for update of d`,
}

const leaveSql: Statement = {
  name: 'digests_leave',
  text: `with gone as (
    delete from carillon.digest_members m
    where m.tenant_id = $1::uuid and m.digest_id = $2::uuid and m.notification_ids = array[$3::uuid]
    returning 1
  ), shared as (
    update carillon.digest_members m set notification_ids = array_remove(m.notification_ids, $3::uuid)
    where m.tenant_id = $1::uuid and m.digest_id = $2::uuid and $3::uuid = any (m.notification_ids)
      and cardinality(m.notification_ids) > 1
  ), fewer as (
    update carillon.digests d set count = d.count - 1
    where d.tenant_id = $1::uuid and d.id = $2::uuid and exists (select from gone)
  )
  update carillon.notifications n set outcome = 'cancelled', reason = 'cancelled'
  where n.tenant_id = $1::uuid and n.id = $3::uuid and n.outcome is null
  returning n.id`,
}

/**
 * Cancels a notification that waits in a digest, and takes it out. False: it waits in none, or that is just being closed (which
 * this has then waited for).
 */
export async function cancelFolded(on: Queryable, tenantId: string, notificationId: string): Promise<boolean> {
  const [digest] = await run<{ id: string }>(on, lockSql, [tenantId, notificationId])
  if (!digest) return false
  const cancelled = await run(on, leaveSql, [tenantId, digest.id, notificationId])
  return cancelled.length > 0
}

const expireSql: Statement = {
  name: 'digests_expire',
  text: `with gone as (
    delete from carillon.digests d
    where (d.tenant_id, d.id) in (
      select o.tenant_id, o.id from carillon.digests o
      where o.state = 'closed' and o.closed_at < $1::timestamptz
      order by o.closed_at limit $2::int)
    returning 1
  )
  select count(*)::int as count from gone`,
}

/** Drops what is left of digests that were closed before a moment, at most `limit`; gives how many went. For the worker. */
export async function expireDigests(on: Queryable, before: Date, limit: number): Promise<number> {
  const [gone] = await run<{ count: number }>(on, expireSql, [before, limit])
  return gone?.count ?? 0
}
