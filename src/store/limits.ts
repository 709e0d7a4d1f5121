import type { Channel } from '../domain/channel.ts'
import type { Limit } from '../domain/limit.ts'
import { type Counts, decodeCounts } from '../domain/limits/counts-text.ts'
import type { NewLimit } from '../domain/limits/limit-rules.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface LimitRow {
  id: string
  name: string
  scope: Limit['scope']
  category: string | null
  channel: Channel | null
  max: number
  window_seconds: number | null
  calendar: 'day' | 'month' | null
  on_excess: 'snooze' | 'suppress' | null
  allow_critical: boolean
  /** Set by the operator: a tenant cannot change it. */
  is_operators: boolean
  /** Of an operator's: the only tenant that it holds for; null: all. Of a tenant's own: the tenant. */
  tenant_id: string | null
  created_at: Date
  updated_at: Date
}

type Row = LimitRow & Record<string, unknown>

const columns = `l.id, l.name, l.scope, l.category, l.channel, l.max, l.window_seconds, l.calendar, l.on_excess, l.allow_critical,
  l.tenant_id, l.created_at, l.updated_at`

const loadSql: Statement = {
  name: 'limits_load',
  text: `select ${columns}, false as is_operators from carillon.limits l where l.tenant_id = $1::uuid
  union all
  select ${columns}, true from carillon.system_limits l where l.tenant_id is null or l.tenant_id = $1::uuid
  order by is_operators, name`,
}

/** The limits that concern a tenant, its own before the operator's, each in the order of their names. */
export async function listLimits(on: Queryable, tenantId: string): Promise<LimitRow[]> {
  return run<Row>(on, loadSql, [tenantId])
}

/** The same, as the gate reads them. */
export async function loadLimits(on: Queryable, tenantId: string): Promise<Limit[]> {
  return (await listLimits(on, tenantId)).map(limitOf)
}

export function limitOf(row: LimitRow): Limit {
  return {
    id: row.id,
    name: row.name,
    scope: row.scope,
    ...(row.category !== null ? { category: row.category } : {}),
    ...(row.channel !== null ? { channel: row.channel } : {}),
    max: row.max,
    window: row.calendar !== null ? { calendar: row.calendar } : { seconds: row.window_seconds! },
    ...(row.on_excess !== null ? { onExcess: row.on_excess } : {}),
    allowCritical: row.allow_critical,
  }
}

const valuesOf = ({ name, scope, category, channel, max, window, onExcess, allowCritical }: NewLimit, now: Date) => [
  name,
  scope,
  category,
  channel,
  max,
  'seconds' in window ? window.seconds : undefined,
  'calendar' in window ? window.calendar : undefined,
  onExcess,
  allowCritical,
  now,
]

const fields = 'name, scope, category, channel, max, window_seconds, calendar, on_excess, allow_critical'
const casts = '$3::text, $4::text, $5::text, $6::carillon.channel, $7::int, $8::int, $9::text, $10::text, $11::boolean'
const assignments = `name = $3::text, scope = $4::text, category = $5::text, channel = $6::carillon.channel, max = $7::int,
  window_seconds = $8::int, calendar = $9::text, on_excess = $10::text, allow_critical = $11::boolean, updated_at = $12::timestamptz`

const countSql: Statement = {
  name: 'limits_count',
  text: `select count(*)::int as count from carillon.limits l where l.tenant_id = $1::uuid`,
}
const createSql: Statement = {
  name: 'limits_create',
  text: `insert into carillon.limits as l (tenant_id, id, ${fields}, created_at, updated_at)
  values ($1::uuid, $2::uuid, ${casts}, $12::timestamptz, $12::timestamptz)
  on conflict do nothing returning ${columns}, false as is_operators`,
}

/** Why a limit was not written: another one has the name, or the tenant has as many as it may. */
export type LimitRefusal = 'name_taken' | 'too_many'

/** Makes a limit of a tenant. What was sent before it is not counted. */
export async function createLimit(
  on: Queryable,
  tenantId: string,
  id: string,
  limit: NewLimit,
  most: number,
  now: Date,
): Promise<LimitRow | LimitRefusal> {
  const [row] = await run<{ count: number }>(on, countSql, [tenantId])
  if (row!.count >= most) return 'too_many'
  return (await run<Row>(on, createSql, [tenantId, id, ...valuesOf(limit, now)]))[0] ?? 'name_taken'
}

const updateSql: Statement = {
  name: 'limits_update',
  text: `update carillon.limits l set ${assignments} where l.tenant_id = $1::uuid and l.id = $2::uuid
  returning ${columns}, false as is_operators`,
}

/** Writes a limit as it shall be; what it has counted stays. A name that is taken is a unique violation. */
export async function updateLimit(
  on: Queryable,
  tenantId: string,
  id: string,
  limit: NewLimit,
  now: Date,
): Promise<LimitRow | undefined> {
  return (await run<Row>(on, updateSql, [tenantId, id, ...valuesOf(limit, now)]))[0]
}

const deleteSql: Statement = {
  name: 'limits_delete',
  text: `delete from carillon.limits l where l.tenant_id = $1::uuid and l.id = $2::uuid returning l.id`,
}

/** False: there was none. */
export async function deleteLimit(on: Queryable, tenantId: string, id: string): Promise<boolean> {
  return (await run(on, deleteSql, [tenantId, id])).length > 0
}

const setSystemSql: Statement = {
  name: 'system_limits_set',
  text: `insert into carillon.system_limits as l (tenant_id, id, ${fields}, created_at, updated_at)
  values ($1::uuid, $2::uuid, ${casts}, $12::timestamptz, $12::timestamptz)
  on conflict (name) do update set ${assignments}, tenant_id = $1::uuid
  returning ${columns}, true as is_operators`,
}

/** Makes or changes a limit of the operator, by its name; what it has counted stays. Needs carillon_worker. */
export async function setSystemLimit(
  on: Queryable,
  id: string,
  limit: NewLimit,
  tenantId: string | undefined,
  now: Date,
): Promise<LimitRow> {
  return (await run<Row>(on, setSystemSql, [tenantId, id, ...valuesOf(limit, now)]))[0]!
}

const listSystemSql: Statement = {
  name: 'system_limits_list',
  text: `select ${columns}, true as is_operators from carillon.system_limits l order by l.name`,
}

/** Every limit of the operator. Needs carillon_worker. */
export async function listSystemLimits(on: Queryable): Promise<LimitRow[]> {
  return run<Row>(on, listSystemSql, [])
}

const deleteSystemSql: Statement = {
  name: 'system_limits_delete',
  text: `delete from carillon.system_limits l where l.name = $1::text returning l.id`,
}

export async function deleteSystemLimit(on: Queryable, name: string): Promise<boolean> {
  return (await run(on, deleteSystemSql, [name])).length > 0
}

const countsSql: Statement = {
  name: 'limits_counts',
  text: `select c.subject, c.counts from carillon.limit_counters c where c.tenant_id = $1::uuid and c.subject = any ($2::text[])`,
}

/** What was counted of a tenant ('') and of some recipients, as it stands. */
export async function findCounts(
  on: Queryable,
  tenantId: string,
  subjects: readonly string[],
): Promise<Map<string, Counts>> {
  const rows = await run<{ subject: string; counts: string }>(on, countsSql, [tenantId, subjects])
  return new Map(rows.map(({ subject, counts }) => [subject, decodeCounts(counts)]))
}

const expireSql: Statement = {
  name: 'limits_expire_counts',
  text: `with page as materialized (
    select c.tenant_id, c.subject, c.idle_at from carillon.limit_counters c
    where (c.tenant_id, c.subject) > ($1::uuid, $2::text) order by c.tenant_id, c.subject limit $4::int
  ), idle as materialized (
    select c.tenant_id, c.subject from carillon.limit_counters c join page p using (tenant_id, subject)
    where c.idle_at <= $3::timestamptz for update of c skip locked
  ), dropped as (
    delete from carillon.limit_counters c using idle i where c.tenant_id = i.tenant_id and c.subject = i.subject returning 1
  )
  select (select count(*)::int from dropped) as dropped, p.tenant_id, p.subject
  from page p order by p.tenant_id desc, p.subject desc limit 1`,
}

/** A page of the counts, in order: drops those that say nothing any more, and gives where the next page begins. */
export async function expireCounts(
  on: Queryable,
  after: { tenantId: string; subject: string },
  now: Date,
  atOnce: number,
): Promise<{ dropped: number; after: { tenantId: string; subject: string } } | undefined> {
  interface Page extends Record<string, unknown> {
    dropped: number
    tenant_id: string
    subject: string
  }
  const [page] = await run<Page>(on, expireSql, [after.tenantId, after.subject, now, atOnce])
  return page && { dropped: page.dropped, after: { tenantId: page.tenant_id, subject: page.subject } }
}
