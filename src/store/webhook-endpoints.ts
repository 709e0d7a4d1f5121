import { type Queryable, run, type Statement } from '../platform/db.ts'

export interface WebhookEndpointRow {
  id: string
  url: string
  description: string | null
  /** null: it is not subscribed to status events. */
  event_types: string[] | null
  disabled_at: Date | null
  disabled_reason: string | null
  last_success_at: Date | null
  last_failure_at: Date | null
  last_failure: string | null
  failing_since: Date | null
  created_at: Date
}

type Row = WebhookEndpointRow & Record<string, unknown>

const columns = `w.id, w.url, w.description, w.event_types, w.disabled_at, w.disabled_reason, w.last_success_at, w.last_failure_at,
  w.last_failure, w.failing_since, w.created_at`

/** Why an endpoint could not be written: its URL has one already, or the tenant has as many as it may. */
export type EndpointRefusal = 'url_taken' | 'too_many'

const lockSql: Statement = {
  name: 'webhook_endpoints_lock',
  text: `select pg_advisory_xact_lock(hashtextextended('carillon.webhook_endpoints.' || $1::text, 0))`,
}
const countSql: Statement = {
  name: 'webhook_endpoints_count',
  text: `select count(*)::int as count from carillon.webhook_endpoints w
  where w.tenant_id = $1::uuid and w.event_types is not null and w.id <> $2::uuid`,
}

/** Whether another endpoint may be subscribed. In a transaction, whose end lets the next one count. */
async function hasRoom(trx: Queryable, tenantId: string, id: string, most: number): Promise<boolean> {
  await run(trx, lockSql, [tenantId])
  const [row] = await run<{ count: number }>(trx, countSql, [tenantId, id])
  return row!.count < most
}

const createSql: Statement = {
  name: 'webhook_endpoints_create',
  text: `insert into carillon.webhook_endpoints as w (tenant_id, id, url, secrets, created_at, description, event_types, since,
    disabled_at, disabled_reason)
  values ($1::uuid, $2::uuid, $3::text, array[$4::text], $5::timestamptz, $6::text, $7::text[],
    case when $7::text[] is not null then pg_current_snapshot() end,
    case when not $8::boolean then $5::timestamptz end, case when not $8::boolean then 'switched_off' end)
  on conflict do nothing returning ${columns}`,
}

export interface NewEndpoint {
  id: string
  url: string
  secret: string
  description?: string
  eventTypes?: readonly string[]
  enabled: boolean
  now: Date
}

/** Registers an endpoint, in a transaction; one that is subscribed is told of what is committed from now on. */
export async function createWebhookEndpoint(
  trx: Queryable,
  tenantId: string,
  endpoint: NewEndpoint,
  mostSubscribed: number,
): Promise<WebhookEndpointRow | EndpointRefusal> {
  if (endpoint.eventTypes && !(await hasRoom(trx, tenantId, endpoint.id, mostSubscribed))) return 'too_many'
  const { id, url, secret, now, description, eventTypes, enabled } = endpoint
  const values = [tenantId, id, url, secret, now, description, eventTypes, enabled]
  return (await run<Row>(trx, createSql, values))[0] ?? 'url_taken'
}

const updateSql: Statement = {
  name: 'webhook_endpoints_update',
  text: `update carillon.webhook_endpoints w
  set url = coalesce($3::text, w.url),
      description = case when $4::boolean then $5::text else w.description end,
      event_types = case when $6::boolean then $7::text[] else w.event_types end,
      since = case when $6::boolean and $7::text[] is null then null
                   when w.since is null and $6::boolean or w.disabled_at is not null and $8::boolean
                     then case when coalesce($7::text[], w.event_types) is not null then pg_current_snapshot() end
                   else w.since end,
      failing_since = case when w.disabled_at is not null and $8::boolean then null else w.failing_since end,
      disabled_at = case when $8::boolean then null when not $8::boolean then coalesce(w.disabled_at, $9::timestamptz) else w.disabled_at end,
      disabled_reason = case when $8::boolean then null when not $8::boolean then coalesce(w.disabled_reason, 'switched_off') else w.disabled_reason end
  where w.tenant_id = $1::uuid and w.id = $2::uuid returning ${columns}`,
}

/** What is absent stays as it is; null clears. */
export interface EndpointChanges {
  url?: string
  description?: string | null
  eventTypes?: readonly string[] | null
  enabled?: boolean
  now: Date
}

const takenSql: Statement = {
  name: 'webhook_endpoints_taken',
  text: `select from carillon.webhook_endpoints w where w.tenant_id = $1::uuid and w.url = $2::text and w.id <> $3::uuid`,
}

/**
 * Changes an endpoint, in a transaction; undefined where there is none. A subscription that is made, or comes back, begins
 * now; other event types hold for whatever was not turned into calls yet.
 */
export async function updateWebhookEndpoint(
  trx: Queryable,
  tenantId: string,
  id: string,
  changes: EndpointChanges,
  mostSubscribed: number,
): Promise<WebhookEndpointRow | EndpointRefusal | undefined> {
  if (changes.eventTypes && !(await hasRoom(trx, tenantId, id, mostSubscribed))) return 'too_many'
  if (changes.url !== undefined) {
    const taken = await run(trx, takenSql, [tenantId, changes.url, id])
    if (taken.length > 0) return 'url_taken'
  }
  const { url, description, eventTypes, enabled, now } = changes
  const values = [
    tenantId,
    id,
    url,
    description !== undefined,
    description,
    eventTypes !== undefined,
    eventTypes,
    enabled,
    now,
  ]
  return (await run<Row>(trx, updateSql, values))[0]
}

const deleteSql: Statement = {
  name: 'webhook_endpoints_delete',
  text: `delete from carillon.webhook_endpoints w where w.tenant_id = $1::uuid and w.id = $2::uuid returning w.id`,
}

/** False: there was none. What is on its way to it ends as a dead letter. */
export async function deleteWebhookEndpoint(on: Queryable, tenantId: string, id: string): Promise<boolean> {
  return (await run(on, deleteSql, [tenantId, id])).length > 0
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
  return (await run<Row>(on, rotateSql, [tenantId, id, secret]))[0]
}

const findSql: Statement = {
  name: 'webhook_endpoints_find',
  text: `select ${columns} from carillon.webhook_endpoints w where w.tenant_id = $1::uuid and w.id = $2::uuid`,
}

export async function findWebhookEndpoint(
  on: Queryable,
  tenantId: string,
  id: string,
): Promise<WebhookEndpointRow | undefined> {
  return (await run<Row>(on, findSql, [tenantId, id]))[0]
}

const listSql: Statement = {
  name: 'webhook_endpoints_list',
  text: `select ${columns} from carillon.webhook_endpoints w
  where w.tenant_id = $1::uuid and ($3::boolean is null or $3::boolean = (w.event_types is not null))
  order by w.created_at, w.id limit $2::int`,
}

/** `subscribed`: only those that are, or are not, subscribed to status events. */
export async function listWebhookEndpoints(
  on: Queryable,
  tenantId: string,
  limit: number,
  subscribed?: boolean,
): Promise<WebhookEndpointRow[]> {
  return run<Row>(on, listSql, [tenantId, limit, subscribed])
}
