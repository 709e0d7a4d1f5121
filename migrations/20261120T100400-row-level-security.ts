import { type Kysely, sql } from 'kysely'

const configuration = ['api_keys', 'recipients', 'contact_points', 'templates', 'webhook_endpoints', 'inbox_counters']
const flow = [
  'intents',
  'notifications',
  'deliveries',
  'delivery_attempts',
  'status_events',
  'audit_log',
  'inbox_items',
  'idempotency_keys',
  'dead_letters',
]

/**
 * One policy for whoever acts for a tenant, one for the workers. Rights are given on the parents alone, so a partition
 * cannot be read past its parent's policy.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const table of [...configuration, ...flow, 'role_bindings']) {
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    // The sub-select makes it one call a statement instead of one a row.
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
  }
  await sql`alter table carillon.tenants enable row level security`.execute(db)
  await sql`create policy tenant_only on carillon.tenants to carillon_api, carillon_analyst
    using (id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
  await sql`create policy every_tenant on carillon.tenants to carillon_worker using (true) with check (true)`.execute(
    db,
  )
  await sql`grant select, insert, update on carillon.tenants to carillon_worker`.execute(db)
  await sql`grant select on carillon.tenants to carillon_api, carillon_analyst`.execute(db)
  await sql`grant select, insert, update, delete on carillon.feed_cursors to carillon_worker`.execute(db)
  await sql`grant select on carillon.feed_cursors to carillon_api`.execute(db)

  for (const table of [...configuration, ...flow]) {
    await sql`grant select on ${sql.table(`carillon.${table}`)} to carillon_api`.execute(db)
  }
  for (const table of [
    'api_keys',
    'recipients',
    'contact_points',
    'templates',
    'webhook_endpoints',
    'inbox_counters',
  ]) {
    await sql`grant insert, update on ${sql.table(`carillon.${table}`)} to carillon_api`.execute(db)
  }
  await sql`grant delete on carillon.contact_points, carillon.recipients, carillon.webhook_endpoints to carillon_api`.execute(
    db,
  )
  // Cancelling writes the notification that planning then meets; reading marks the inbox. Nothing else is the API's to change.
  await sql`grant insert on carillon.notifications, carillon.status_events to carillon_api`.execute(db)
  await sql`grant update (outcome, reason) on carillon.notifications to carillon_api`.execute(db)
  await sql`grant update (state, reason, next_attempt_at, updated_at) on carillon.deliveries to carillon_api`.execute(
    db,
  )
  await sql`grant update (seen_at, read_at, archived_at) on carillon.inbox_items to carillon_api`.execute(db)

  // Analysts see what happened, not what was said or to which address.
  await sql`grant select (tenant_id, id, kind, type, priority, category, event_id, correlation_id, traceparent, source,
      scheduled_at, expires_at, accepted_at, recipients, outcome) on carillon.intents to carillon_analyst`.execute(db)
  await sql`grant select (tenant_id, id, recipient_type, recipient_id, locale, timezone, type, category, priority, channels,
      has_fallback, template, event_id, correlation_id, traceparent, scheduled_at, expires_at, created_at, outcome, reason)
    on carillon.notifications to carillon_analyst`.execute(db)
  await sql`grant select (tenant_id, id, channel, state, attempt, fallback_rank, priority, reason, next_attempt_at, sent_at,
      delivered_at, created_at, updated_at) on carillon.deliveries to carillon_analyst`.execute(db)
  await sql`grant select (tenant_id, delivery_id, attempt, channel, provider, outcome, reason, detail, provider_message_id,
      possible_duplicate, started_at, completed_at) on carillon.delivery_attempts to carillon_analyst`.execute(db)
  await sql`grant select on carillon.status_events, carillon.dead_letters, carillon.inbox_counters to carillon_analyst`.execute(
    db,
  )
  await sql`grant select (tenant_id, id, name, description, version, tags, enabled, created_at, updated_at)
    on carillon.templates to carillon_analyst`.execute(db)
}
