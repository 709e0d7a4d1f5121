import type { Category } from '../domain/category.ts'
import type { Channel } from '../domain/channel.ts'
import type { DigestPolicy } from '../domain/digest.ts'
import type { Frequency } from '../domain/preferences.ts'
import type { SendWindow } from '../domain/schedule.ts'
import { type Queryable, run, type Statement } from '../platform/db.ts'

type Row<Fields> = Fields & Record<string, unknown>

export interface CategoryRow {
  name: string
  description: string | null
  required: boolean
  marketing: boolean
  enabled: boolean
  channels: Channel[] | null
  min_priority: number | null
  frequency: Frequency
  digest: DigestPolicy | null
  send_window: SendWindow | null
  on_excess: Category['onExcess']
  created_at: Date
  updated_at: Date
}

const columns = `c.name, c.description, c.required, c.marketing, c.enabled, c.channels, c.min_priority, c.frequency, c.digest,
  c.send_window, c.on_excess, c.created_at, c.updated_at`

const listSql: Statement = {
  name: 'categories_list',
  text: `select ${columns} from carillon.categories c where c.tenant_id = $1::uuid order by c.name`,
}

/** All categories of a tenant, by name. */
export async function listCategories(on: Queryable, tenantId: string): Promise<CategoryRow[]> {
  return run<Row<CategoryRow>>(on, listSql, [tenantId])
}

/** The same as the gates see them; the settings of a tenant are kept in memory. */
export async function loadCategories(on: Queryable, tenantId: string): Promise<Map<string, Category>> {
  const rows = await listCategories(on, tenantId)
  return new Map(rows.map((row) => [row.name, categoryOf(row)]))
}

function categoryOf(row: CategoryRow): Category {
  return {
    name: row.name,
    required: row.required,
    marketing: row.marketing,
    enabled: row.enabled,
    channels: row.channels ?? undefined,
    minPriority: row.min_priority ?? undefined,
    frequency: row.frequency,
    digest: row.digest ?? undefined,
    sendWindow: row.send_window ?? undefined,
    onExcess: row.on_excess,
  }
}

const findSql: Statement = {
  name: 'categories_find',
  text: `select ${columns} from carillon.categories c where c.tenant_id = $1::uuid and c.name = $2::text`,
}

export async function findCategory(on: Queryable, tenantId: string, name: string): Promise<CategoryRow | undefined> {
  return (await run<Row<CategoryRow>>(on, findSql, [tenantId, name]))[0]
}

const countSql: Statement = {
  name: 'categories_count',
  text: `select count(*)::int as count from carillon.categories c where c.tenant_id = $1::uuid and c.name <> $2::text`,
}

/** How many other categories there are. */
export async function countOtherCategories(on: Queryable, tenantId: string, name: string): Promise<number> {
  return (await run<{ count: number }>(on, countSql, [tenantId, name]))[0]!.count
}

const upsertSql: Statement = {
  name: 'categories_upsert',
  text: `insert into carillon.categories as c (tenant_id, name, description, required, marketing, enabled, channels, min_priority,
    frequency, digest, send_window, on_excess, created_at, updated_at)
  values ($1::uuid, $2::text, $3::text, $4::boolean, $5::boolean, $6::boolean, $7::text[], $8::smallint, $9::text, $10::jsonb,
    $11::jsonb, $12::text, $13::timestamptz, $13::timestamptz)
  on conflict (tenant_id, name) do update
    set description = excluded.description, required = excluded.required, marketing = excluded.marketing,
        enabled = excluded.enabled, channels = excluded.channels, min_priority = excluded.min_priority,
        frequency = excluded.frequency, digest = excluded.digest, send_window = excluded.send_window,
        on_excess = excluded.on_excess, updated_at = excluded.updated_at
  returning ${columns}`,
}

/** A category as it shall be, whatever was there before. */
export type CategoryProfile = Category & { description?: string }

export async function upsertCategory(
  on: Queryable,
  tenantId: string,
  category: CategoryProfile,
  now: Date,
): Promise<CategoryRow> {
  const [row] = await run<Row<CategoryRow>>(on, upsertSql, [
    tenantId,
    category.name,
    category.description,
    category.required,
    category.marketing,
    category.enabled,
    category.channels,
    category.minPriority,
    category.frequency,
    category.digest && JSON.stringify(category.digest),
    category.sendWindow && JSON.stringify(category.sendWindow),
    category.onExcess,
    now,
  ])
  return row!
}

const deleteSql: Statement = {
  name: 'categories_delete',
  text: `delete from carillon.categories c where c.tenant_id = $1::uuid and c.name = $2::text returning c.name`,
}

/** False: there was none. What people said of it stays, and holds again should it come back. */
export async function deleteCategory(on: Queryable, tenantId: string, name: string): Promise<boolean> {
  return (await run(on, deleteSql, [tenantId, name])).length > 0
}
