import { parsePreferences } from '../domain/parse-preferences.ts'
import type { SaidPreferences } from '../domain/preferences.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

type Row<Fields> = Fields & Record<string, unknown>

/** Whose preferences a tenant's defaults are, among the recipients. */
export const defaultsOf = ''

export type PreferenceDocument = Record<string, unknown>

export interface PreferencesRow {
  version: number
  document: PreferenceDocument
  updated_at: Date
  updated_by: string
}

const findSql: Statement = {
  name: 'preferences_find',
  text: `select p.version, p.document, p.updated_at, p.updated_by from carillon.preferences p
  where p.tenant_id = $1::uuid and p.recipient_id = $2::text`,
}

/** What a recipient has said, or with `defaultsOf` the tenant for everybody. */
export async function findPreferences(
  on: Queryable,
  tenantId: string,
  recipientId: string,
): Promise<PreferencesRow | undefined> {
  return (await run<Row<PreferencesRow>>(on, findSql, [tenantId, recipientId]))[0]
}

const viewSql: Statement = {
  name: 'preferences_view',
  text: `select coalesce(p.version, 0) as version, coalesce(p.document, '{}') as own, p.updated_by, r.timezone, r.locale,
    coalesce(p.updated_at, r.updated_at, d.updated_at, t.created_at) as updated_at,
    carillon.merge_patch(coalesce(case when p.document ? 'quietHours' then d.document - 'quietHours' else d.document end, '{}'),
      coalesce(p.document, '{}')) as holds
  from carillon.tenants t
  left join carillon.preferences p on p.tenant_id = t.id and p.recipient_id = $2::text
  left join carillon.preferences d on d.tenant_id = t.id and d.recipient_id = '' and $2::text <> ''
  left join carillon.recipients r on r.tenant_id = t.id and r.external_id = $2::text
  where t.id = $1::uuid`,
}

/** What a recipient has said, and what holds for them by the tenant's defaults. */
export interface PreferencesView {
  /** 0: nothing was said. */
  version: number
  own: PreferenceDocument
  holds: PreferenceDocument
  updated_at: Date
  updated_by: string | null
  /** The recipient's own. */
  timezone: string | null
  locale: string | null
}

export async function viewPreferences(on: Queryable, tenantId: string, recipientId: string): Promise<PreferencesView> {
  return (await run<Row<PreferencesView>>(on, viewSql, [tenantId, recipientId]))[0]!
}

/** The tenant's defaults, as the gates see them; a part of the settings that are kept in memory. */
export async function loadDefaults(on: Queryable, tenantId: string): Promise<SaidPreferences | undefined> {
  const row = await findPreferences(on, tenantId, defaultsOf)
  return row && { version: row.version, said: parsePreferences(row.document) }
}

const atSql: Statement = {
  name: 'preferences_at',
  text: `select v.recipient_id, v.version, v.document from carillon.preference_versions v
  where v.tenant_id = $1::uuid and v.recipient_id = any ($2::text[])
    and v.valid_from <= $3::timestamptz and (v.valid_to is null or v.valid_to > $3::timestamptz)`,
}

/** What these recipients had said at a past moment (`defaultsOf` may be among them), by recipient; for replays. */
export async function preferencesAt(
  on: Queryable,
  tenantId: string,
  recipientIds: readonly string[],
  at: Date,
): Promise<Map<string, SaidPreferences>> {
  type Row = { recipient_id: string; version: number; document: unknown }
  const rows = await run<Row>(on, atSql, [tenantId, recipientIds, at])
  return new Map(
    rows.map(({ recipient_id, version, document }) => [recipient_id, { version, said: parsePreferences(document) }]),
  )
}

const historySql: Statement = {
  name: 'preferences_history',
  text: `select v.version, v.document, v.valid_from, v.valid_to, v.changed_by from carillon.preference_versions v
  where v.tenant_id = $1::uuid and v.recipient_id = $2::text and ($3::int is null or v.version < $3::int)
  order by v.version desc limit $4::int`,
}

export interface PreferenceVersionRow {
  version: number
  document: PreferenceDocument
  valid_from: Date
  valid_to: Date | null
  changed_by: string
}

/** The versions of a recipient's preferences before one, the newest first. */
export async function listPreferenceVersions(
  on: Queryable,
  tenantId: string,
  recipientId: string,
  before: number | undefined,
  limit: number,
): Promise<PreferenceVersionRow[]> {
  return run<Row<PreferenceVersionRow>>(on, historySql, [tenantId, recipientId, before, limit])
}

const judgeSql: Statement = {
  name: 'preferences_judge',
  text: `select carillon.merge_patch('{}', carillon.read_preferences($1::jsonb)) as document`,
}

/**
 * Judges preferences that are not to be written, and gives them as they would be stored. Throws what Postgres says of bad
 * ones: 22023, with the place in `column`, and as a JSON array in `detail`.
 */
export async function judgePreferences(on: Queryable, preferences: unknown): Promise<PreferenceDocument> {
  return (await run<{ document: PreferenceDocument }>(on, judgeSql, [JSON.stringify(preferences)]))[0]!.document
}

const changeSql: Statement = {
  name: 'preferences_change',
  text: `select carillon.change_preferences($1::uuid, $2::text, $3::jsonb, $4::text, $5::timestamptz) as version`,
}

export interface PreferenceChange {
  recipientId: string
  /** A JSON merge patch (RFC 7386) of the document: what is absent stays, null takes away. Judged before. */
  patch: PreferenceDocument
  by: string
}

/** Changes what a recipient has said, keeps the version before as history, and has what waits for them decided again. */
export async function changePreferences(
  on: Queryable,
  tenantId: string,
  { recipientId, patch, by }: PreferenceChange,
  now: Date,
): Promise<number> {
  const values = [tenantId, recipientId, JSON.stringify(patch), by, now]
  return (await run<{ version: number }>(on, changeSql, values))[0]!.version
}

const forgetSql: Statement = {
  name: 'preferences_forget',
  text: `delete from carillon.preferences p where p.tenant_id = $1::uuid and p.recipient_id = any ($2::text[])`,
}

/** Deletes what recipients have said, with its history: for people who are to be forgotten. */
export async function forgetPreferences(
  on: Queryable,
  tenantId: string,
  recipientIds: readonly string[],
): Promise<void> {
  await run(on, forgetSql, [tenantId, recipientIds])
}
