import type { Inhibition } from '../domain/inhibitions.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

interface Row extends Record<string, unknown> {
  id: string
  name: string
  source: string
  target: string
  equal: string[]
  resolved: string | null
  alert: string | null
  open_for_ms: string | null
  enabled: boolean
  created_at: Date
  updated_at: Date
}

export interface KeptInhibition extends Inhibition {
  enabled: boolean
  createdAt: Date
  updatedAt: Date
}

const columns = `i.id, i.name, i.source, i.target, i.equal, i.resolved, i.alert, i.open_for_ms, i.enabled, i.created_at, i.updated_at`

const toInhibition = (row: Row): KeptInhibition => ({
  id: row.id,
  name: row.name,
  source: row.source,
  target: row.target,
  equal: row.equal,
  resolved: row.resolved ?? undefined,
  alert: row.alert ?? undefined,
  openForMs: row.open_for_ms === null ? undefined : Number(row.open_for_ms),
  enabled: row.enabled,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

const loadSql: Statement = {
  name: 'inhibitions_load',
  text: `select ${columns} from carillon.inhibitions i where i.tenant_id = $1::uuid and i.enabled order by i.id`,
}

/** Those that are in use. */
export async function loadInhibitions(on: Queryable, tenantId: string): Promise<Inhibition[]> {
  return (await run<Row>(on, loadSql, [tenantId])).map(toInhibition)
}

const listSql: Statement = {
  name: 'inhibitions_list',
  text: `select ${columns} from carillon.inhibitions i where i.tenant_id = $1::uuid order by i.name limit $2::int`,
}

export async function listInhibitions(on: Queryable, tenantId: string, limit: number): Promise<KeptInhibition[]> {
  return (await run<Row>(on, listSql, [tenantId, limit])).map(toInhibition)
}

const createSql: Statement = {
  name: 'inhibitions_create',
  text: `insert into carillon.inhibitions as i (tenant_id, id, name, source, target, equal, resolved, alert, open_for_ms, enabled, created_at,
    updated_at)
  values ($1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text[], $7::text, $8::text, $9::bigint, $10::boolean, $11::timestamptz,
    $11::timestamptz)
  on conflict do nothing returning ${columns}`,
}

export type NewInhibition = Inhibition & { enabled: boolean }

const valuesOf = (tenantId: string, inhibition: NewInhibition, now: Date) => [
  tenantId,
  inhibition.id,
  inhibition.name,
  inhibition.source,
  inhibition.target,
  inhibition.equal,
  inhibition.resolved,
  inhibition.alert,
  inhibition.openForMs,
  inhibition.enabled,
  now,
]

/** undefined: the name is taken. */
export async function createInhibition(
  on: Queryable,
  tenantId: string,
  inhibition: NewInhibition,
  now: Date,
): Promise<KeptInhibition | undefined> {
  const [row] = await run<Row>(on, createSql, valuesOf(tenantId, inhibition, now))
  return row && toInhibition(row)
}

// What was open by other words says nothing of what would be open by these.
const updateSql: Statement = {
  name: 'inhibitions_update',
  text: `with before as (
    select b.source, b.equal, b.alert from carillon.inhibitions b where b.tenant_id = $1::uuid and b.id = $2::uuid
  ), forgotten as (
    delete from carillon.open_alerts o using before b
    where o.tenant_id = $1::uuid and o.inhibition_id = $2::uuid
      and (b.source, b.equal, b.alert) is distinct from ($4::text, $6::text[], $8::text)
  )
  update carillon.inhibitions i set name = $3::text, source = $4::text, target = $5::text, equal = $6::text[], resolved = $7::text,
    alert = $8::text, open_for_ms = $9::bigint, enabled = $10::boolean, updated_at = $11::timestamptz
  where i.tenant_id = $1::uuid and i.id = $2::uuid returning ${columns}`,
}

/** Writes an inhibition anew; undefined: there is none. A name that is taken is a unique_violation. */
export async function updateInhibition(
  on: Queryable,
  tenantId: string,
  inhibition: NewInhibition,
  now: Date,
): Promise<KeptInhibition | undefined> {
  const [row] = await run<Row>(on, updateSql, valuesOf(tenantId, inhibition, now))
  return row && toInhibition(row)
}

const deleteSql: Statement = {
  name: 'inhibitions_delete',
  text: `with forgotten as (
    delete from carillon.open_alerts o where o.tenant_id = $1::uuid and o.inhibition_id = $2::uuid
  )
  delete from carillon.inhibitions i where i.tenant_id = $1::uuid and i.id = $2::uuid returning i.id`,
}

/** False: there was none. */
export async function deleteInhibition(on: Queryable, tenantId: string, id: string): Promise<boolean> {
  return (await run(on, deleteSql, [tenantId, id])).length > 0
}

export interface OpenAlert {
  inhibition_id: string
  key: string
  alert: string
  event_id: string | null
  opened_at: Date
  expires_at: Date | null
}

const openSql: Statement = {
  name: 'open_alerts_list',
  text: `select o.inhibition_id, o.key, o.alert, o.event_id, o.opened_at, o.expires_at from carillon.open_alerts o
  where o.tenant_id = $1::uuid and ($2::uuid is null or o.inhibition_id = $2::uuid)
    and o.fired_by is not null and coalesce(o.fired_by > o.closed_by, true) and coalesce(o.expires_at > $3::timestamptz, true)
  order by o.opened_at, o.inhibition_id, o.key, o.alert limit $4::int`,
}

export async function listOpenAlerts(
  on: Queryable,
  tenantId: string,
  inhibitionId: string | undefined,
  now: Date,
  limit: number,
): Promise<OpenAlert[]> {
  return run<OpenAlert & Record<string, unknown>>(on, openSql, [tenantId, inhibitionId, now, limit])
}

const closeSql: Statement = {
  name: 'open_alerts_close',
  text: `delete from carillon.open_alerts o
  where o.tenant_id = $1::uuid and o.inhibition_id = $2::uuid and o.key = $3::text and o.alert = $4::text returning o.key`,
}

/** Takes an alert as over that nobody resolved; false: it is not open. */
export async function closeAlert(
  on: Queryable,
  tenantId: string,
  inhibitionId: string,
  key: string,
  alert: string,
): Promise<boolean> {
  return (await run(on, closeSql, [tenantId, inhibitionId, key, alert])).length > 0
}

const forgetSql: Statement = {
  name: 'open_alerts_forget',
  text: `delete from carillon.open_alerts o
  where o.noted_at < $1::timestamptz
    and (coalesce(o.fired_by < o.closed_by, o.fired_by is null) or o.expires_at < $1::timestamptz)
  returning o.key`,
}

/** Forgets alerts that were over before a moment: until then an event that was processed late does not open them again. */
export async function forgetClosedAlerts(on: Queryable, before: Date): Promise<number> {
  return (await run(on, forgetSql, [before])).length
}
