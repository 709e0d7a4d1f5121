import { type Queryable, run, type Statement } from '../platform/db.ts'

const hasIntentsSql: Statement = {
  name: 'demo_has_intents',
  text: `select exists (select from carillon.intents i where i.tenant_id = $1::uuid) as has`,
}

/** Whether anything was ever asked for by this tenant, as far as it is still kept. Needs carillon_worker. */
export async function hasIntents(on: Queryable, tenantId: string): Promise<boolean> {
  const [{ has } = { has: false }] = await run<{ has: boolean }>(on, hasIntentsSql, [tenantId])
  return has
}

const keepEndpointSql: Statement = {
  name: 'demo_keep_endpoint',
  text: `insert into carillon.webhook_endpoints as w (tenant_id, id, url, secrets, created_at)
  values ($1::uuid, carillon.new_id($4::timestamptz), $2::text, array[$3::text], $4::timestamptz)
  on conflict (tenant_id, url) do update set disabled_at = null, disabled_reason = null
  returning w.secrets`,
}

/** Makes sure that the endpoint is there and takes calls, and gives its signing secrets. Needs carillon_worker. */
export async function keepEndpoint(
  on: Queryable,
  tenantId: string,
  endpoint: { url: string; secret: string; now: Date },
): Promise<string[]> {
  const [row] = await run<{ secrets: string[] }>(on, keepEndpointSql, [
    tenantId,
    endpoint.url,
    endpoint.secret,
    endpoint.now,
  ])
  return row!.secrets
}
