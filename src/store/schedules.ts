import type { Recurrence } from '../domain/schedule.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

/** What is sent again and again: a request to send, or an event. */
export interface NewSchedule {
  id: string
  name: string
  kind: 'direct' | 'event'
  /** As it was given and judged; it is judged again each time. */
  request: Record<string, unknown>
  recurrence: Recurrence
  startsAt: Date
  endsAt?: Date
  /** How long after an occurrence it may still be sent. */
  expiresAfterMs?: number
  enabled: boolean
  /** Absent: it does not come again. */
  nextAt?: Date
}

export interface KeptSchedule extends NewSchedule {
  tenantId: string
  lastOccurrence?: Date
  lastRunAt?: Date
  lastIntentId?: string
  lastError?: string
  runs: number
  createdAt: Date
  updatedAt: Date
}

interface Row extends Record<string, unknown> {
  tenant_id: string
  id: string
  name: string
  kind: NewSchedule['kind']
  request: Record<string, unknown>
  recurrence: Recurrence
  starts_at: Date
  ends_at: Date | null
  expires_after_ms: string | null
  enabled: boolean
  next_at: Date | null
  last_occurrence: Date | null
  last_run_at: Date | null
  last_intent_id: string | null
  last_error: string | null
  runs: number
  created_at: Date
  updated_at: Date
}

const columns = `s.tenant_id, s.id, s.name, s.kind, s.request, s.recurrence, s.starts_at, s.ends_at, s.expires_after_ms, s.enabled,
  s.next_at, s.last_occurrence, s.last_run_at, s.last_intent_id, s.last_error, s.runs, s.created_at, s.updated_at`

const toSchedule = (row: Row): KeptSchedule => ({
  tenantId: row.tenant_id,
  id: row.id,
  name: row.name,
  kind: row.kind,
  request: row.request,
  recurrence: row.recurrence,
  startsAt: row.starts_at,
  endsAt: row.ends_at ?? undefined,
  expiresAfterMs: row.expires_after_ms === null ? undefined : Number(row.expires_after_ms),
  enabled: row.enabled,
  nextAt: row.next_at ?? undefined,
  lastOccurrence: row.last_occurrence ?? undefined,
  lastRunAt: row.last_run_at ?? undefined,
  lastIntentId: row.last_intent_id ?? undefined,
  lastError: row.last_error ?? undefined,
  runs: row.runs,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

const createSql: Statement = {
  name: 'schedules_create',
  text: `insert into carillon.schedules as s (tenant_id, id, name, kind, request, recurrence, starts_at, ends_at, expires_after_ms, enabled,
    next_at, created_at, updated_at)
  select $1::uuid, $2::uuid, $3::text, $4::text, $5::jsonb, $6::jsonb, $7::timestamptz, $8::timestamptz, $9::bigint, $10::boolean,
    $11::timestamptz, $12::timestamptz, $12::timestamptz
  where (select count(*) from carillon.schedules o where o.tenant_id = $1::uuid) < $13::int
  on conflict do nothing returning ${columns}`,
}

const valuesOf = (tenantId: string, schedule: NewSchedule, now: Date) => [
  tenantId,
  schedule.id,
  schedule.name,
  schedule.kind,
  JSON.stringify(schedule.request),
  JSON.stringify(schedule.recurrence),
  schedule.startsAt,
  schedule.endsAt,
  schedule.expiresAfterMs,
  schedule.enabled,
  schedule.nextAt,
  now,
]

/** undefined: the name is taken, or the tenant has as many as it may. */
export async function createSchedule(
  on: Queryable,
  tenantId: string,
  schedule: NewSchedule,
  now: Date,
  most: number,
): Promise<KeptSchedule | undefined> {
  const [row] = await run<Row>(on, createSql, [...valuesOf(tenantId, schedule, now), most])
  return row && toSchedule(row)
}

const updateSql: Statement = {
  name: 'schedules_update',
  text: `update carillon.schedules s set name = $3::text, kind = $4::text, request = $5::jsonb, recurrence = $6::jsonb,
    starts_at = $7::timestamptz, ends_at = $8::timestamptz, expires_after_ms = $9::bigint, enabled = $10::boolean,
    next_at = $11::timestamptz, updated_at = $12::timestamptz
  where s.tenant_id = $1::uuid and s.id = $2::uuid returning ${columns}`,
}

/** Writes a schedule anew; undefined: there is none. A name that is taken is a unique_violation. */
export async function updateSchedule(
  on: Queryable,
  tenantId: string,
  schedule: NewSchedule,
  now: Date,
): Promise<KeptSchedule | undefined> {
  const [row] = await run<Row>(on, updateSql, valuesOf(tenantId, schedule, now))
  return row && toSchedule(row)
}

const deleteSql: Statement = {
  name: 'schedules_delete',
  text: `delete from carillon.schedules s where s.tenant_id = $1::uuid and s.id = $2::uuid returning s.id`,
}

/** False: there was none. */
export async function deleteSchedule(on: Queryable, tenantId: string, id: string): Promise<boolean> {
  return (await run(on, deleteSql, [tenantId, id])).length > 0
}

const lockSql: Statement = {
  name: 'schedules_lock',
  text: `select ${columns} from carillon.schedules s where s.tenant_id = $1::uuid and s.id = $2::uuid for update`,
}

/** One schedule, which nobody runs until the transaction ends. */
export async function lockSchedule(trx: Queryable, tenantId: string, id: string): Promise<KeptSchedule | undefined> {
  const [row] = await run<Row>(trx, lockSql, [tenantId, id])
  return row && toSchedule(row)
}

const listSql: Statement = {
  name: 'schedules_list',
  text: `select ${columns} from carillon.schedules s
  where s.tenant_id = $1::uuid and ($3::uuid is null or s.id = $3::uuid) order by s.name limit $2::int`,
}

/** By name; with an id, that one. */
export async function listSchedules(
  on: Queryable,
  tenantId: string,
  limit: number,
  id?: string,
): Promise<KeptSchedule[]> {
  return (await run<Row>(on, listSql, [tenantId, limit, id])).map(toSchedule)
}

const takeDueSql: Statement = {
  name: 'schedules_take_due',
  text: `select ${columns} from carillon.schedules s
  where s.enabled and s.next_at <= $1::timestamptz
  order by s.next_at limit $2::int for update skip locked`,
}

/** Some that are due, of any tenant, which nobody else takes until the transaction ends. */
export async function takeDueSchedules(trx: Queryable, now: Date, limit: number): Promise<KeptSchedule[]> {
  return (await run<Row>(trx, takeDueSql, [now, limit])).map(toSchedule)
}

/** What became of an occurrence. */
export interface ScheduleRun {
  tenantId: string
  id: string
  occurrence: Date
  nextAt?: Date
  intentId?: string
  error?: string
}

const noteRunsSql: Statement = {
  name: 'schedules_note_runs',
  text: `update carillon.schedules s
  set next_at = r.next_at, last_occurrence = r.occurrence, last_run_at = $1::timestamptz, last_error = r.error,
      last_intent_id = coalesce(r.intent_id, s.last_intent_id), runs = s.runs + (r.intent_id is not null)::int
  from unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::text[])
    as r (tenant_id, id, occurrence, next_at, intent_id, error)
  where s.tenant_id = r.tenant_id and s.id = r.id`,
}

/** Writes what became of schedules that were taken, in the transaction that took them. */
export async function noteScheduleRuns(trx: Queryable, runs: readonly ScheduleRun[], now: Date): Promise<void> {
  await run(trx, noteRunsSql, [
    now,
    runs.map(({ tenantId }) => tenantId),
    runs.map(({ id }) => id),
    runs.map(({ occurrence }) => occurrence),
    runs.map(({ nextAt }) => nextAt),
    runs.map(({ intentId }) => intentId),
    runs.map(({ error }) => error),
  ])
}
