import { type Kysely, sql } from 'kysely'

/**
 * Where decisions stand: what waits (snoozes), why (decision_batches), by which rule (notifications), and how processes hear
 * that a tenant has changed what decisions are made of (settings_versions).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter type carillon.delivery_state add value if not exists 'snoozed'`.execute(db)

  await sql`alter table carillon.notifications
    add column rule_id uuid,
    add column rule_version int,
    add column vars jsonb,
    add column digest_id uuid`.execute(db)
  await sql`grant select (rule_id, rule_version, digest_id) on carillon.notifications to carillon_analyst`.execute(db)

  // What is found by a rare state stands in a small table of its own. A change of preferences moves `until`.
  await sql`
    create table carillon.snoozes (
      tenant_id uuid not null,
      delivery_id uuid not null,
      recipient_id text not null,
      channel carillon.channel not null,
      priority smallint not null,
      reason text not null,
      until timestamptz not null,
      since timestamptz not null,
      primary key (tenant_id, delivery_id)
    ) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`.execute(db)
  await sql`create index snoozes_until on carillon.snoozes (until)`.execute(db)
  await sql`create index snoozes_recipient on carillon.snoozes (tenant_id, recipient_id)`.execute(db)

  // A batch a row, as the audit log is: what one planning has decided of one tenant is one insert.
  await sql`
    create table carillon.decision_batches (
      tenant_id uuid not null,
      id uuid not null,
      at timestamptz not null,
      size int not null,
      first_id uuid not null,
      last_id uuid not null,
      lines json not null,
      primary key (tenant_id, id),
      constraint size_positive check (size > 0),
      constraint ids_in_order check (first_id <= last_id)
    ) partition by range (id)`.execute(db)
  await sql`alter table carillon.decision_batches alter column lines set storage external`.execute(db)
  await sql`create index decision_batches_ids on carillon.decision_batches using brin (first_id, last_id)
    with (pages_per_range = 16, autosummarize = on)`.execute(db)
  await sql`insert into carillon.partitioned_tables (name, bound, retention_days)
    select 'decision_batches', 'id', t.retention_days from carillon.partitioned_tables t where t.name = 'notifications'`.execute(
    db,
  )

  // Rises with each change of a tenant's settings, so that who keeps them in memory looks at one row.
  await sql`
    create table carillon.settings_versions (
      tenant_id uuid not null primary key,
      version bigint not null
    ) with (fillfactor = 50)`.execute(db)

  for (const table of ['snoozes', 'decision_batches', 'settings_versions']) {
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
    await sql`grant select on ${name} to carillon_api`.execute(db)
  }
  await sql`grant select on carillon.snoozes to carillon_analyst`.execute(db)
  await sql`grant update (until), delete on carillon.snoozes to carillon_api`.execute(db)

  await sql`
    create function carillon.bump_settings() returns trigger
      language plpgsql security definer set search_path = pg_catalog, pg_temp
    as $$
    begin
      insert into carillon.settings_versions as v (tenant_id, version)
      select distinct c.tenant_id, 1 from changed c order by c.tenant_id
      on conflict (tenant_id) do update set version = v.version + 1;
      return null;
    end
    $$`.execute(db)
  // To be called once for each table of settings, by the migration that makes it.
  await sql`
    create function carillon.watch_settings(p_table text) returns void
      language plpgsql set search_path = pg_catalog, pg_temp
    as $$
    begin
      execute format('create trigger settings_inserted after insert on carillon.%I referencing new table as changed
        for each statement execute function carillon.bump_settings()', p_table);
      execute format('create trigger settings_updated after update on carillon.%I referencing new table as changed
        for each statement execute function carillon.bump_settings()', p_table);
      execute format('create trigger settings_deleted after delete on carillon.%I referencing old table as changed
        for each statement execute function carillon.bump_settings()', p_table);
    end
    $$`.execute(db)
  await sql`revoke execute on function carillon.bump_settings(), carillon.watch_settings(text) from public`.execute(db)

  await sql`
    create or replace function carillon.is_vacuumed_late(p_table text) returns boolean
      language sql immutable parallel safe
    return p_table in ('intents', 'notifications', 'deliveries', 'delivery_attempts', 'status_log', 'audit_batches', 'decision_batches')`.execute(
    db,
  )
  await sql`
    create or replace function carillon.partition_in_use(p_table text, p_day date, p_now timestamptz) returns text
      language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    as $$
    declare
      suffix text := to_char(p_day, 'YYYYMMDD');
      slowest record;
      busy boolean := false;
    begin
      if p_table in ('intents', 'notifications', 'deliveries', 'delivery_attempts') then
        if to_regclass('carillon.deliveries_' || suffix) is not null then
          execute format('select exists (select from carillon.%I where state in (''queued'', ''snoozed'', ''sending'', ''retrying''))',
            'deliveries_' || suffix) into busy;
          if busy then return 'deliveries under way'; end if;
        end if;
        if to_regclass('carillon.intents_' || suffix) is not null and to_regclass('carillon.notifications_' || suffix) is not null then
          execute format('select exists (
              select from carillon.%I i
              where i.outcome is null and not exists (
                select from carillon.%I n where n.tenant_id = i.tenant_id and carillon.intent_id_of(n.id) = i.id))',
            'intents_' || suffix, 'notifications_' || suffix) into busy;
          if busy then return 'intents not planned yet'; end if;
        end if;
      elsif p_table = 'status_log' then
        select c.xid, c.id into slowest from carillon.feed_cursors c where c.enabled order by c.xid, c.id limit 1;
        if slowest.xid is not null then
          execute format('select exists (select from carillon.%I where (xid, id) > ($1, $2))', 'status_log_' || suffix)
            into busy using slowest.xid, slowest.id;
          if busy then return 'events not yet passed on'; end if;
        end if;
      end if;
      return null;
    end
    $$`.execute(db)
}
