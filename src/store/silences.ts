import type { Silence } from '../domain/silences.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

interface Row extends Record<string, unknown> {
  id: string
  matcher: string
  starts_at: Date
  ends_at: Date | null
  recurrence: Silence['recurrence'] | null
  duration_ms: string | null
  author: string
  comment: string
  created_at: Date
  updated_at: Date
}

/** A silence as it is listed, also when it is over. */
export interface KeptSilence extends Silence {
  createdAt: Date
  updatedAt: Date
}

const columns = `s.id, s.matcher, s.starts_at, s.ends_at, s.recurrence, s.duration_ms, s.author, s.comment, s.created_at, s.updated_at`

const toSilence = (row: Row): KeptSilence => ({
  id: row.id,
  matcher: row.matcher,
  startsAt: row.starts_at,
  endsAt: row.ends_at ?? undefined,
  recurrence: row.recurrence ?? undefined,
  durationMs: row.duration_ms === null ? undefined : Number(row.duration_ms),
  author: row.author,
  comment: row.comment,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

const loadSql: Statement = {
  name: 'silences_load',
  text: `select ${columns} from carillon.silences s
  where s.tenant_id = $1::uuid and (s.ends_at is null or s.ends_at > $2::timestamptz)
  order by s.id`,
}

/** Those that hold now, or will. */
export async function loadSilences(on: Queryable, tenantId: string, now: Date): Promise<Silence[]> {
  return (await run<Row>(on, loadSql, [tenantId, now])).map(toSilence)
}

const betweenSql: Statement = {
  name: 'silences_between',
  text: `select ${columns} from carillon.silences s
  where s.tenant_id = $1::uuid and s.starts_at < $3::timestamptz and (s.ends_at is null or s.ends_at > $2::timestamptz)
  order by s.id`,
}

/** Those that held at some time between two moments, as they are written now: for what is decided again in thought. */
export async function silencesBetween(on: Queryable, tenantId: string, from: Date, to: Date): Promise<Silence[]> {
  return (await run<Row>(on, betweenSql, [tenantId, from, to])).map(toSilence)
}

const createSql: Statement = {
  name: 'silences_create',
  text: `insert into carillon.silences as s (tenant_id, id, matcher, starts_at, ends_at, recurrence, duration_ms, author, comment,
    created_at, updated_at)
  values ($1::uuid, $2::uuid, $3::text, $4::timestamptz, $5::timestamptz, $6::jsonb, $7::bigint, $8::text, $9::text, $10::timestamptz,
    $10::timestamptz)
  returning ${columns}`,
}

export async function createSilence(
  on: Queryable,
  tenantId: string,
  silence: Silence,
  now: Date,
): Promise<KeptSilence> {
  return toSilence((await run<Row>(on, createSql, [...valuesOf(tenantId, silence), now]))[0]!)
}

const valuesOf = (tenantId: string, silence: Silence) => [
  tenantId,
  silence.id,
  silence.matcher,
  silence.startsAt,
  silence.endsAt,
  silence.recurrence && JSON.stringify(silence.recurrence),
  silence.durationMs,
  silence.author,
  silence.comment,
]

const updateSql: Statement = {
  name: 'silences_update',
  text: `update carillon.silences s set matcher = $3::text, starts_at = $4::timestamptz, ends_at = $5::timestamptz, recurrence = $6::jsonb,
    duration_ms = $7::bigint, author = $8::text, comment = $9::text, updated_at = $10::timestamptz
  where s.tenant_id = $1::uuid and s.id = $2::uuid and (s.ends_at is null or s.ends_at > $10::timestamptz)
  returning ${columns}`,
}

/** Writes a silence anew; undefined where there is none, or it is over: what has held is not written over. */
export async function updateSilence(
  on: Queryable,
  tenantId: string,
  silence: Silence,
  now: Date,
): Promise<KeptSilence | undefined> {
  const [row] = await run<Row>(on, updateSql, [...valuesOf(tenantId, silence), now])
  return row && toSilence(row)
}

const endSql: Statement = {
  name: 'silences_end',
  text: `update carillon.silences s
  set starts_at = least(s.starts_at, $3::timestamptz), ends_at = least(s.ends_at, $3::timestamptz), updated_at = $3::timestamptz
  where s.tenant_id = $1::uuid and s.id = $2::uuid
  returning ${columns}`,
}

/** Ends a silence now; one that is over stays as it was. It stays listed. */
export async function endSilence(
  on: Queryable,
  tenantId: string,
  id: string,
  now: Date,
): Promise<KeptSilence | undefined> {
  const [row] = await run<Row>(on, endSql, [tenantId, id, now])
  return row && toSilence(row)
}

const findSql: Statement = {
  name: 'silences_find',
  text: `select ${columns} from carillon.silences s where s.tenant_id = $1::uuid and s.id = $2::uuid`,
}

export async function findSilence(on: Queryable, tenantId: string, id: string): Promise<KeptSilence | undefined> {
  const [row] = await run<Row>(on, findSql, [tenantId, id])
  return row && toSilence(row)
}

export const silenceStates = ['pending', 'active', 'expired'] as const
export type SilenceState = (typeof silenceStates)[number]

const listSql: Statement = {
  name: 'silences_list',
  text: `select ${columns} from carillon.silences s
  where s.tenant_id = $1::uuid
    and ($3::text is null or $3::text = case when s.ends_at <= $4::timestamptz then 'expired'
                                             when s.starts_at > $4::timestamptz then 'pending' else 'active' end)
    and ($5::uuid is null or s.id < $5::uuid)
  order by s.id desc limit $2::int`,
}

/** The newest first; `before` is the id at which the page before ended. */
export async function listSilences(
  on: Queryable,
  tenantId: string,
  { limit, state, before, now }: { limit: number; state?: SilenceState; before?: string; now: Date },
): Promise<KeptSilence[]> {
  return (await run<Row>(on, listSql, [tenantId, limit, state, now, before])).map(toSilence)
}
