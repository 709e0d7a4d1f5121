import { type Queryable, run, type Statement } from '../platform/db.ts'
import type { ApiKeyScope } from './api-keys.ts'

export interface TenantRow {
  id: string
  name: string
  created_at: Date
}

const createSql: Statement = {
  name: 'tenants_create',
  text: `insert into carillon.tenants (id, name, created_at) values ($1::uuid, $2::text, $3::timestamptz)
  on conflict do nothing returning id`,
}

/** Makes a tenant; false where the id is taken. Needs carillon_worker. */
export async function createTenant(on: Queryable, tenant: { id: string; name: string; now: Date }): Promise<boolean> {
  return (await run(on, createSql, [tenant.id, tenant.name, tenant.now])).length > 0
}

const listSql: Statement = {
  name: 'tenants_list',
  text: `select t.id, t.name, t.created_at from carillon.tenants t order by t.created_at, t.id`,
}

/** Every tenant, the oldest first. Needs carillon_worker. */
export async function listTenants(on: Queryable): Promise<TenantRow[]> {
  return run<TenantRow & Record<string, unknown>>(on, listSql, [])
}

const existsSql: Statement = {
  name: 'tenants_exists',
  text: `select t.id from carillon.tenants t where t.id = $1::uuid`,
}

export async function tenantExists(on: Queryable, id: string): Promise<boolean> {
  return (await run(on, existsSql, [id])).length > 0
}

export interface ListedApiKey {
  tenant_id: string
  id: string
  name: string
  scopes: ApiKeyScope[]
  created_at: Date
  revoked_at: Date | null
}

const keysSql: Statement = {
  name: 'tenants_api_keys',
  text: `select k.tenant_id, k.id, k.name, k.scopes, k.created_at, k.revoked_at from carillon.api_keys k
  where $1::uuid is null or k.tenant_id = $1::uuid
  order by k.tenant_id, k.created_at, k.id`,
}

/** The keys of a tenant, or of all of them, revoked ones too; never their secrets. Needs carillon_worker. */
export async function listApiKeys(on: Queryable, tenantId?: string): Promise<ListedApiKey[]> {
  return run<ListedApiKey & Record<string, unknown>>(on, keysSql, [tenantId ?? null])
}
