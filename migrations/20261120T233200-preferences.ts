import { type Kysely, sql } from 'kysely'

const hashPartitions = 4

/**
 * What people have said of being notified, and what a tenant says for them: categories, preferences with their history,
 * consents, suppressed addresses; and the key that signs unsubscribe links.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.categories (
      tenant_id uuid not null,
      name text not null,
      description text,
      required boolean not null,
      marketing boolean not null,
      enabled boolean not null,
      channels text[],
      min_priority smallint,
      frequency text not null,
      digest jsonb,
      send_window jsonb,
      on_excess text not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, name),
      constraint name_not_empty check (name <> ''),
      constraint required_is_no_marketing check (not (required and marketing)),
      constraint required_is_enabled check (enabled or not required),
      constraint channels_not_empty check (cardinality(channels) > 0),
      constraint min_priority_known check (min_priority between 0 and 3),
      constraint frequency_known check (frequency in ('instant', 'digest', 'hourly', 'daily', 'weekly')),
      constraint on_excess_known check (on_excess in ('snooze', 'suppress'))
    ) partition by hash (tenant_id)`.execute(db)

  // The recipient '' is everybody who has not said otherwise.
  await sql`
    create table carillon.preferences (
      tenant_id uuid not null,
      recipient_id text not null,
      version int not null,
      document jsonb not null,
      updated_at timestamptz not null,
      updated_by text not null,
      primary key (tenant_id, recipient_id),
      constraint version_positive check (version > 0),
      constraint document_is_object check (jsonb_typeof(document) = 'object')
    ) partition by hash (tenant_id)`.execute(db)
  await sql`
    create table carillon.preference_versions (
      tenant_id uuid not null,
      recipient_id text not null,
      version int not null,
      document jsonb not null,
      valid_from timestamptz not null,
      valid_to timestamptz,
      changed_by text not null,
      primary key (tenant_id, recipient_id, version),
      constraint valid_to_after_from check (valid_to >= valid_from)
    ) partition by hash (tenant_id)`.execute(db)

  // Only ever added to: the last word of a category, by time, is what holds.
  await sql`
    create table carillon.consents (
      tenant_id uuid not null,
      recipient_id text not null,
      category text not null,
      at timestamptz not null,
      granted boolean not null,
      source text not null,
      wording_version text,
      proof jsonb,
      primary key (tenant_id, recipient_id, category, at),
      constraint recipient_not_empty check (recipient_id <> ''),
      constraint category_not_empty check (category <> ''),
      constraint source_not_empty check (source <> '')
    ) partition by hash (tenant_id)`.execute(db)

  // The address is written as carillon.address_key gives it.
  await sql`
    create table carillon.suppressions (
      tenant_id uuid not null,
      channel carillon.channel not null,
      address text not null,
      reason text not null,
      source text not null,
      note text,
      created_at timestamptz not null,
      expires_at timestamptz,
      primary key (tenant_id, channel, address),
      constraint address_not_empty check (address <> ''),
      constraint source_not_empty check (source <> ''),
      constraint reason_known check (reason in ('hard_bounce', 'complaint', 'manual')),
      constraint expires_after_created check (expires_at > created_at)
    ) partition by hash (tenant_id)`.execute(db)

  const tables = ['categories', 'preferences', 'preference_versions', 'consents', 'suppressions']
  for (const table of tables) {
    const name = sql.table(`carillon.${table}`)
    for (let remainder = 0; remainder < hashPartitions; remainder++) {
      await sql`create table ${sql.table(`carillon.${table}_h${remainder}`)} partition of ${name}
        for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)})`.execute(db)
    }
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select on ${name} to carillon_api, carillon_worker`.execute(db)
  }
  // History is written by the trigger alone, and consents are never changed.
  await sql`grant insert, update, delete on carillon.categories, carillon.preferences, carillon.suppressions
    to carillon_api, carillon_worker`.execute(db)
  await sql`grant insert on carillon.consents to carillon_api, carillon_worker`.execute(db)
  await sql`grant delete on carillon.consents to carillon_worker`.execute(db)
  await sql`grant select on carillon.categories to carillon_analyst`.execute(db)
  await sql`grant select (tenant_id, recipient_id, category, at, granted, source, wording_version)
    on carillon.consents to carillon_analyst`.execute(db)
  await sql`grant select (tenant_id, channel, reason, source, created_at, expires_at)
    on carillon.suppressions to carillon_analyst`.execute(db)

  await sql`select carillon.watch_settings('categories')`.execute(db)

  await sql`
    create function carillon.keep_preference_versions() returns trigger
      language plpgsql security definer set search_path = pg_catalog, pg_temp
    as $$
    begin
      if tg_op = 'DELETE' then
        delete from carillon.preference_versions v using changed c
        where v.tenant_id = c.tenant_id and v.recipient_id = c.recipient_id;
      else
        if tg_op = 'UPDATE' then
          update carillon.preference_versions v set valid_to = c.updated_at from changed c
          where v.tenant_id = c.tenant_id and v.recipient_id = c.recipient_id and v.version = c.version - 1;
        end if;
        insert into carillon.preference_versions (tenant_id, recipient_id, version, document, valid_from, changed_by)
        select c.tenant_id, c.recipient_id, c.version, c.document, c.updated_at, c.updated_by from changed c;
      end if;
      insert into carillon.settings_versions as v (tenant_id, version)
      select c.tenant_id, 1 from changed c where c.recipient_id = '' order by c.tenant_id
      on conflict (tenant_id) do update set version = v.version + 1;
      return null;
    end
    $$`.execute(db)
  for (const [event, table] of [
    ['insert', 'new'],
    ['update', 'new'],
    ['delete', 'old'],
  ] as const) {
    await sql`create trigger ${sql.ref(`preferences_${event}`)} after ${sql.raw(event)} on carillon.preferences
      referencing ${sql.raw(table)} table as changed
      for each statement execute function carillon.keep_preference_versions()`.execute(db)
  }
  await sql`revoke execute on function carillon.keep_preference_versions() from public`.execute(db)

  // For the service's own roles, which make and check signed links.
  await sql`
    create table carillon.signing_keys (
      purpose text not null,
      id smallint not null,
      key bytea not null,
      primary key (purpose, id),
      constraint key_is_256_bits check (octet_length(key) = 32)
    )`.execute(db)
  await sql`alter table carillon.signing_keys enable row level security`.execute(db)
  await sql`create policy service_only on carillon.signing_keys to carillon_api, carillon_worker using (true)`.execute(
    db,
  )
  await sql`grant select on carillon.signing_keys to carillon_api, carillon_worker`.execute(db)
  // A v4 UUID has 122 random bits of Postgres's strong source.
  await sql`insert into carillon.signing_keys (purpose, id, key)
    values ('unsubscribe', 1, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))`.execute(
    db,
  )
}
