import { type Kysely, sql } from 'kysely'

/**
 * The audit log, a batch a row, as the log of status events is: what one planning has to tell of one tenant is one insert.
 * carillon.audit_log (sql/api) shows the lines one a row, as the table of that name did before.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table carillon.audit_log rename to audit_log_before`.execute(db)
  await sql`
    create table carillon.audit_batches (
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
  await sql`alter table carillon.audit_batches alter column lines set storage external`.execute(db)
  await sql`create index audit_batches_ids on carillon.audit_batches using brin (first_id, last_id)
    with (pages_per_range = 16, autosummarize = on)`.execute(db)

  await sql`alter table carillon.audit_batches enable row level security`.execute(db)
  await sql`create policy tenant_only on carillon.audit_batches to carillon_api, carillon_analyst
    using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
    with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
  await sql`create policy every_tenant on carillon.audit_batches to carillon_worker using (true) with check (true)`.execute(
    db,
  )
  await sql`grant select, insert, update, delete on carillon.audit_batches to carillon_worker`.execute(db)
  await sql`grant select on carillon.audit_batches to carillon_api`.execute(db)

  await sql`
    create or replace function carillon.is_vacuumed_late(p_table text) returns boolean
      language sql immutable parallel safe
    return p_table in ('intents', 'notifications', 'deliveries', 'delivery_attempts', 'status_log', 'audit_batches')`.execute(
    db,
  )
  await sql`
    do $$
    declare
      day record;
      part text;
    begin
      update carillon.partitioned_tables set name = 'audit_batches' where name = 'audit_log';
      for day in
        select c.relname as old, to_date(right(c.relname, 8), 'YYYYMMDD') as d, c.reloptions
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'carillon.audit_log_before'::regclass
      loop
        part := 'audit_batches_' || to_char(day.d, 'YYYYMMDD');
        execute format('create table carillon.%I (like carillon.audit_batches including all)%s', part,
          case when day.reloptions is not null then ' with (' || array_to_string(day.reloptions, ', ') || ')' else '' end);
        execute format('alter table carillon.audit_batches attach partition carillon.%I for values from (%L) to (%L)', part,
          carillon.first_id_at(day.d::timestamp at time zone 'UTC'), carillon.first_id_at((day.d + 1)::timestamp at time zone 'UTC'));
      end loop;
    end
    $$`.execute(db)
  await sql`
    insert into carillon.audit_batches (tenant_id, id, at, size, first_id, last_id, lines)
    select a.tenant_id, a.id, a.at, 1, a.id, a.id, json_build_array(a.line) from carillon.audit_log_before a`.execute(
    db,
  )
  await sql`drop table carillon.audit_log_before`.execute(db)

  // A batch belongs to the day of its planning, not to its stories': it waits for none of them.
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
          execute format('select exists (select from carillon.%I where state in (''queued'', ''sending'', ''retrying''))',
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
