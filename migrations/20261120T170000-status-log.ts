import { type Kysely, sql } from 'kysely'

/**
 * The log of status events, a batch a row: what one transaction has to tell of one tenant is one insert, however many
 * notifications it concerns. An event's id is its batch's plus its place in it. carillon.status_events (sql/api) shows the
 * events one a row, as the table of that name did before.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table carillon.status_events rename to status_events_before`.execute(db)
  await sql`
    create table carillon.status_log (
      tenant_id uuid not null,
      id uuid not null,
      xid xid8 not null default pg_current_xact_id(),
      at timestamptz not null,
      size int not null,
      first_subject uuid not null,
      last_subject uuid not null,
      events json not null,
      primary key (tenant_id, id),
      constraint size_positive check (size > 0),
      constraint subjects_in_order check (first_subject <= last_subject)
    ) partition by range (id)`.execute(db)
  // Read in order and as a whole; what the server has for compressing by default costs more time than it saves.
  await sql`alter table carillon.status_log alter column events set storage external`.execute(db)
  await sql`create index status_log_feed on carillon.status_log (xid, id)`.execute(db)
  // Stories lie in the log in about the order of their ids, so a summary finds one's batches, and inserts pay nothing.
  await sql`create index status_log_subjects on carillon.status_log using brin (first_subject, last_subject)
    with (pages_per_range = 16, autosummarize = on)`.execute(db)

  await sql`alter table carillon.status_log enable row level security`.execute(db)
  await sql`create policy tenant_only on carillon.status_log to carillon_api, carillon_analyst
    using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
    with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
  await sql`create policy every_tenant on carillon.status_log to carillon_worker using (true) with check (true)`.execute(
    db,
  )
  await sql`grant select, insert, update, delete on carillon.status_log to carillon_worker`.execute(db)
  await sql`grant select, insert on carillon.status_log to carillon_api`.execute(db)
  await sql`grant select on carillon.status_log to carillon_analyst`.execute(db)

  await sql`
    do $$
    declare
      day record;
      part text;
    begin
      update carillon.partitioned_tables set name = 'status_log' where name = 'status_events';
      for day in
        select c.relname as old, to_date(right(c.relname, 8), 'YYYYMMDD') as d
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'carillon.status_events_before'::regclass
      loop
        part := 'status_log_' || to_char(day.d, 'YYYYMMDD');
        execute format('create table carillon.%I (like carillon.status_log including all)', part);
        execute format('alter table carillon.status_log attach partition carillon.%I for values from (%L) to (%L)', part,
          carillon.first_id_at(day.d::timestamp at time zone 'UTC'), carillon.first_id_at((day.d + 1)::timestamp at time zone 'UTC'));
      end loop;
    end
    $$`.execute(db)
  await sql`
    insert into carillon.status_log (tenant_id, id, xid, at, size, first_subject, last_subject, events)
    select e.tenant_id, e.id, e.xid, e.at, 1, e.subject_id, e.subject_id,
           json_build_array(json_build_object('subject_id', e.subject_id, 'type', e.type, 'data', e.data))
    from carillon.status_events_before e`.execute(db)
  await sql`drop table carillon.status_events_before`.execute(db)

  await sql`
    create or replace function carillon.partition_in_use(p_table text, p_day date, p_now timestamptz) returns text
      language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    as $$
    declare
      suffix text := to_char(p_day, 'YYYYMMDD');
      slowest record;
      busy boolean := false;
    begin
      if p_table in ('intents', 'notifications', 'deliveries', 'delivery_attempts', 'audit_log') then
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
