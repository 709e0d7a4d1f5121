import { type Queryable, run, type Statement } from '../platform/db.ts'

/** A template as a folder of files says it. */
export interface SampleTemplate {
  name: string
  description: string
  version: string
  /** As in carillon.templates: {"email": {"subject", "body", "body_html"}, "slack": {"body"}, …}. */
  channels: Record<string, Record<string, string>>
  variables?: Record<string, unknown>
  tags: string[]
}

const upsertSql: Statement = {
  name: 'sample_templates_upsert',
  text: `insert into carillon.templates as t (tenant_id, id, name, description, version, channels, variables, tags, created_at, updated_at)
  select $1::uuid, carillon.new_id($3::timestamptz), s.name, s.description, s.version, s.channels, s.variables, s.tags, $3::timestamptz, $3::timestamptz
  from json_to_recordset($2::json) as s (name text, description text, version text, channels jsonb, variables jsonb, tags text[])
  order by s.name
  on conflict (tenant_id, name) do update
    set description = excluded.description, version = excluded.version, channels = excluded.channels,
        variables = excluded.variables, tags = excluded.tags, updated_at = excluded.updated_at
    where t.version <> excluded.version
  returning t.name`,
}

/** Writes templates as given where they are new or of another version; gives the names of those written. Needs carillon_worker. */
export async function upsertTemplates(
  on: Queryable,
  tenantId: string,
  templates: readonly SampleTemplate[],
  now: Date,
): Promise<string[]> {
  const rows = await run<{ name: string }>(on, upsertSql, [tenantId, JSON.stringify(templates), now])
  return rows.map(({ name }) => name)
}

const listSql: Statement = {
  name: 'sample_templates_list',
  text: `select t.name, t.version, t.enabled, t.description, array(select jsonb_object_keys(t.channels) order by 1) as channels
  from carillon.templates t where t.tenant_id = $1::uuid order by t.name`,
}

export interface ListedTemplate {
  name: string
  version: string
  enabled: boolean
  description: string | null
  channels: string[]
}

/** A tenant's templates by name, without their text. Needs carillon_worker. */
export async function listTemplates(on: Queryable, tenantId: string): Promise<ListedTemplate[]> {
  return run<ListedTemplate & Record<string, unknown>>(on, listSql, [tenantId])
}
