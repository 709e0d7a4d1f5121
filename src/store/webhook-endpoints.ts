import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface WebhookEndpointRow {
  id: string
  url: string
  disabled_at: Date | null
  disabled_reason: string | null
  created_at: Date
}

const columns = 'w.id, w.url, w.disabled_at, w.disabled_reason, w.created_at'

const createSql: Statement = {
  name: 'webhook_endpoints_create',
  text: `insert into carillon.webhook_endpoints as w (tenant_id, id, url, secrets, created_at)
  values ($1::uuid, $2::uuid, $3::text, array[$4::text], $5::timestamptz)
  on conflict do nothing returning ${columns}`,
}

/** Registers an endpoint; undefined where the tenant has one of that URL already. */
export async function createWebhookEndpoint(
  on: Queryable,
  tenantId: string,
  endpoint: { id: string; url: string; secret: string; now: Date },
): Promise<WebhookEndpointRow | undefined> {
  const values = [tenantId, endpoint.id, endpoint.url, endpoint.secret, endpoint.now]
  return (await run<WebhookEndpointRow & Record<string, unknown>>(on, createSql, values))[0]
}

const rotateSql: Statement = {
  name: 'webhook_endpoints_rotate',
  text: `update carillon.webhook_endpoints w set secrets = array[$3::text, w.secrets[1]]
  where w.tenant_id = $1::uuid and w.id = $2::uuid returning ${columns}`,
}

/** Puts a new secret before the newest one, and drops an older one: both sign until the next rotation. */
export async function rotateWebhookSecret(
  on: Queryable,
  tenantId: string,
  id: string,
  secret: string,
): Promise<WebhookEndpointRow | undefined> {
  return (await run<WebhookEndpointRow & Record<string, unknown>>(on, rotateSql, [tenantId, id, secret]))[0]
}

const enableSql: Statement = {
  name: 'webhook_endpoints_enable',
  text: `update carillon.webhook_endpoints w set disabled_at = null, disabled_reason = null
  where w.tenant_id = $1::uuid and w.id = $2::uuid returning ${columns}`,
}

export async function enableWebhookEndpoint(
  on: Queryable,
  tenantId: string,
  id: string,
): Promise<WebhookEndpointRow | undefined> {
  return (await run<WebhookEndpointRow & Record<string, unknown>>(on, enableSql, [tenantId, id]))[0]
}

const listSql: Statement = {
  name: 'webhook_endpoints_list',
  text: `select ${columns} from carillon.webhook_endpoints w where w.tenant_id = $1::uuid order by w.created_at, w.id limit $2::int`,
}

export async function listWebhookEndpoints(
  on: Queryable,
  tenantId: string,
  limit: number,
): Promise<WebhookEndpointRow[]> {
  return run<WebhookEndpointRow & Record<string, unknown>>(on, listSql, [tenantId, limit])
}
