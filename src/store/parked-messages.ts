import type { ParkedReason } from '../domain/parked.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

/** A message that the bridge could not make an intent of. All of it is for operators: role carillon_worker. */
export interface ParkedMessage {
  id: string
  topic: string
  partition: number
  offset: bigint
  writtenAt: Date | null
  reason: ParkedReason
  detail: string
  bytes: number
  parkedAt: Date
  replayedAt: Date | null
  intentId: string | null
}

export interface ParkedContent extends ParkedMessage {
  key: Buffer | null
  /** In order; values in base64. */
  headers: { name: string; value: string }[]
  value: Buffer | null
}

/** Which of them: all conditions hold. Absent: any. */
export interface ParkedFilter {
  ids?: readonly string[]
  topic?: string
  reason?: ParkedReason
  /** Those too that were replayed. */
  withReplayed?: boolean
}

interface Row extends Record<string, unknown> {
  id: string
  topic: string
  partition: number
  offset: string
  message_at: Date | null
  reason: ParkedReason
  detail: string
  bytes: number
  parked_at: Date
  replayed_at: Date | null
  intent_id: string | null
}

const columns = `p.id, p.topic, p.partition, p."offset", p.message_at, p.reason, p.detail,
  coalesce(octet_length(p.value), 0) as bytes, p.parked_at, p.replayed_at, p.intent_id`
const condition = `($1::uuid[] is null or p.id = any ($1::uuid[])) and ($2::text is null or p.topic = $2::text)
  and ($3::text is null or p.reason = $3::text) and ($4::boolean or p.replayed_at is null)`
const values = ({ ids, topic, reason, withReplayed = false }: ParkedFilter) => [
  ids ?? null,
  topic ?? null,
  reason ?? null,
  withReplayed,
]

const fromRow = (row: Row): ParkedMessage => ({
  id: row.id,
  topic: row.topic,
  partition: row.partition,
  offset: BigInt(row.offset),
  writtenAt: row.message_at,
  reason: row.reason,
  detail: row.detail,
  bytes: row.bytes,
  parkedAt: row.parked_at,
  replayedAt: row.replayed_at,
  intentId: row.intent_id,
})

const listSql: Statement = {
  name: 'parked_messages_list',
  text: `select ${columns} from carillon.parked_messages p where ${condition}
  order by p.parked_at desc, p.id desc limit $5::int`,
}

/** The newest first, without what they hold. */
export async function listParked(on: Queryable, filter: ParkedFilter, limit: number): Promise<ParkedMessage[]> {
  return (await run<Row>(on, listSql, [...values(filter), limit])).map(fromRow)
}

const pageSql: Statement = {
  name: 'parked_messages_page',
  text: `select ${columns}, p.key, p.headers, p.value from carillon.parked_messages p
  where ${condition} and ($5::uuid is null or p.id > $5::uuid)
  order by p.id limit $6::int`,
}

/** A page of them with what they hold, in the order they were parked; `after` is the last id of the page before. */
export async function pageParked(
  on: Queryable,
  filter: ParkedFilter,
  after: string | undefined,
  limit: number,
): Promise<ParkedContent[]> {
  const rows = await run<Row & Pick<ParkedContent, 'key' | 'headers' | 'value'>>(on, pageSql, [
    ...values(filter),
    after ?? null,
    limit,
  ])
  return rows.map((row) => ({ ...fromRow(row), key: row.key, headers: row.headers, value: row.value }))
}

const lockSql: Statement = {
  name: 'parked_messages_lock',
  text: `select p.id from carillon.parked_messages p where p.id = any ($1::uuid[]) and p.replayed_at is null
  order by p.id for update`,
}

/** Those of them that nobody has replayed meanwhile; nobody else can until the transaction ends. */
export async function lockParked(trx: Queryable, ids: readonly string[]): Promise<Set<string>> {
  return new Set((await run<{ id: string }>(trx, lockSql, [ids])).map(({ id }) => id))
}

const markSql: Statement = {
  name: 'parked_messages_mark',
  text: `update carillon.parked_messages p
  set replayed_at = case when m.intent_id is null then null else $5::timestamptz end, intent_id = m.intent_id,
    reason = coalesce(m.reason, p.reason), detail = coalesce(m.detail, p.detail)
  from rows from (unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::text[]), unnest($4::text[])) as m (id, intent_id, reason, detail)
  where p.id = m.id`,
}

/** What a replay made of each: an intent, or why it is still parked. */
export async function markParked(
  trx: Queryable,
  marks: readonly { id: string; intentId?: string; reason?: ParkedReason; detail?: string }[],
  now: Date,
): Promise<void> {
  const column = <Value>(pick: (mark: (typeof marks)[number]) => Value | undefined) =>
    marks.map((mark) => pick(mark) ?? null)
  await run(trx, markSql, [
    column(({ id }) => id),
    column(({ intentId }) => intentId),
    column(({ reason }) => reason),
    column(({ detail }) => detail),
    now,
  ])
}

const dropSql: Statement = {
  name: 'parked_messages_drop',
  text: `delete from carillon.parked_messages p where ${condition}`,
}

/** For good, with their bytes; gives how many. */
export async function dropParked(
  on: { query(config: { name: string; text: string; values: unknown[] }): Promise<{ rowCount: number | null }> },
  filter: ParkedFilter,
): Promise<number> {
  return (await on.query({ ...dropSql, values: values(filter) })).rowCount ?? 0
}

const expireSql: Statement = {
  name: 'parked_messages_expire',
  text: `delete from carillon.parked_messages p
  where p.id in (select e.id from carillon.parked_messages e where e.parked_at < $1::timestamptz order by e.parked_at limit $2::int)
  returning p.id`,
}

/** Drops some of those that were parked before a moment; gives how many. */
export async function expireParked(on: Queryable, before: Date, limit: number): Promise<number> {
  return (await run(on, expireSql, [before, limit])).length
}
