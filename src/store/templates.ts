import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface TemplateRow {
  id: string
  name: string
  description: string | null
  channels: Record<string, unknown>
  translations: Record<string, unknown> | null
  version: string
  enabled: boolean
  created_at: Date
  updated_at: Date
}

const byNameSql: Statement = {
  name: 'templates_by_name',
  text: `select t.id, t.name, t.description, t.channels, t.translations, t.version, t.enabled, t.created_at, t.updated_at
  from carillon.templates t where t.tenant_id = $1::uuid and t.name = any ($2::text[])`,
}

/** The tenant's templates among these names, in no order. */
export async function findTemplatesByName(
  on: Queryable,
  tenantId: string,
  names: readonly string[],
): Promise<TemplateRow[]> {
  if (names.length === 0) return []
  return run<TemplateRow & Record<string, unknown>>(on, byNameSql, [tenantId, names])
}
