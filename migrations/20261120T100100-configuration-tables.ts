import { type Kysely, sql } from 'kysely'

/** The tables that people fill: partitioned by HASH on tenant_id, ready to be spread over machines. */
const hashPartitions = 4

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.api_keys (
      tenant_id uuid not null,
      id uuid not null,
      name text not null,
      secret_hash bytea not null,
      scopes text[] not null,
      created_at timestamptz not null,
      revoked_at timestamptz,
      primary key (tenant_id, id),
      constraint secret_hash_is_sha256 check (octet_length(secret_hash) = 32),
      constraint scopes_known check (scopes <@ array['send', 'read', 'manage'])
    ) partition by hash (tenant_id)`.execute(db)

  await sql`
    create table carillon.recipients (
      tenant_id uuid not null,
      external_id text not null,
      name text,
      locale text,
      timezone text,
      roles text[] not null default '{}',
      groups text[] not null default '{}',
      attributes jsonb not null default '{}',
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, external_id),
      constraint external_id_not_empty check (external_id <> '')
    ) partition by hash (tenant_id)`.execute(db)
  await sql`create index recipients_roles on carillon.recipients using gin (roles)`.execute(db)
  await sql`create index recipients_groups on carillon.recipients using gin (groups)`.execute(db)

  await sql`
    create table carillon.contact_points (
      tenant_id uuid not null,
      recipient_id text not null,
      channel carillon.channel not null,
      address text not null,
      position smallint not null default 0,
      verified_at timestamptz,
      invalid_at timestamptz,
      invalid_reason text,
      created_at timestamptz not null,
      primary key (tenant_id, recipient_id, channel, address),
      constraint address_not_empty check (address <> ''),
      constraint invalid_reason_iff_invalid check ((invalid_at is null) = (invalid_reason is null))
    ) partition by hash (tenant_id)`.execute(db)

  await sql`
    create table carillon.templates (
      tenant_id uuid not null,
      id uuid not null,
      name text not null,
      description text,
      version text not null,
      channels jsonb not null,
      translations jsonb,
      variables jsonb,
      tags text[] not null default '{}',
      enabled boolean not null default true,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, id),
      constraint templates_name unique (tenant_id, name),
      constraint channels_is_object check (jsonb_typeof(channels) = 'object')
    ) partition by hash (tenant_id)`.execute(db)

  // A webhook address, its signing secrets (the newest first; two while rotating), and whether it still takes calls.
  await sql`
    create table carillon.webhook_endpoints (
      tenant_id uuid not null,
      id uuid not null,
      url text not null,
      secrets text[] not null,
      disabled_at timestamptz,
      disabled_reason text,
      created_at timestamptz not null,
      primary key (tenant_id, id),
      constraint webhook_endpoints_url unique (tenant_id, url),
      constraint one_or_two_secrets check (cardinality(secrets) between 1 and 2),
      constraint disabled_reason_iff_disabled check ((disabled_at is null) = (disabled_reason is null))
    ) partition by hash (tenant_id)`.execute(db)

  // Kept by settle and by the reading mutations, so that an unread badge never counts rows.
  await sql`
    create table carillon.inbox_counters (
      tenant_id uuid not null,
      recipient_id text not null,
      unread int not null,
      unseen int not null,
      primary key (tenant_id, recipient_id),
      constraint counts_not_negative check (unread >= 0 and unseen >= 0)
    ) partition by hash (tenant_id)`.execute(db)

  const tables = ['api_keys', 'recipients', 'contact_points', 'templates', 'webhook_endpoints', 'inbox_counters']
  for (const table of tables) {
    for (let remainder = 0; remainder < hashPartitions; remainder++) {
      await sql`create table ${sql.table(`carillon.${table}_h${remainder}`)} partition of ${sql.table(`carillon.${table}`)}
        for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)})
        ${table === 'inbox_counters' ? sql`with (fillfactor = 50)` : sql``}`.execute(db)
    }
  }
}
