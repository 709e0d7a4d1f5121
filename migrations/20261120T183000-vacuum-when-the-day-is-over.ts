import { type Kysely, sql } from 'kysely'

/**
 * The partitions of the day are written a thousand times faster than they are read, and autovacuum would go through each
 * of them again and again while it grows: a tenth of the machine at full load. An update of a delivery finds room on its own page, and
 * what it leaves there is cleared by the next visit to the page. So vacuum waits until the day is over; analyze does not,
 * nor does the vacuum against wraparound.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function carillon.is_vacuumed_late(p_table text) returns boolean
      language sql immutable parallel safe
    return p_table in ('intents', 'notifications', 'deliveries', 'delivery_attempts', 'status_log', 'audit_log')`.execute(
    db,
  )

  await sql`
    create or replace function carillon.ensure_partitions(p_table text, p_now timestamptz, p_days_ahead int) returns setof text
      language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s'
    as $$
    declare
      t carillon.partitioned_tables;
      d date;
      today date := (p_now at time zone 'UTC')::date;
      part text;
      options text;
    begin
      perform pg_advisory_xact_lock(hashtextextended('carillon.partitions', 0));
      select * into strict t from carillon.partitioned_tables where name = p_table;
      options := concat_ws(', ',
        case when t.name in ('deliveries', 'inbox_items') then 'fillfactor = 80' end,
        case when carillon.is_vacuumed_late(t.name) then 'autovacuum_vacuum_threshold = 2000000000, autovacuum_vacuum_insert_threshold = -1' end);
      for d in select generate_series(today - 1, today + p_days_ahead, interval '1 day')::date loop
        part := t.name || '_' || to_char(d, 'YYYYMMDD');
        continue when to_regclass('carillon.' || part) is not null;
        execute format('create table carillon.%I (like carillon.%I including all)%s', part, t.name,
          case when options <> '' then ' with (' || options || ')' else '' end);
        if t.bound = 'id' then
          execute format('alter table carillon.%I attach partition carillon.%I for values from (%L) to (%L)', t.name, part,
            carillon.first_id_at(d::timestamp at time zone 'UTC'), carillon.first_id_at((d + 1)::timestamp at time zone 'UTC'));
        else
          execute format('alter table carillon.%I attach partition carillon.%I for values from (%L) to (%L)', t.name, part, d, d + 1);
        end if;
        return next part;
      end loop;
    end
    $$`.execute(db)

  // In a transaction of its own, and not for long: a vacuum under way holds the lock that this needs.
  await sql`
    create function carillon.end_day(p_table text, p_now timestamptz) returns setof text
      language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '300ms'
    as $$
    declare
      part text;
    begin
      for part in
        select v.partition_name from carillon.partitions v join pg_class c on c.oid = ('carillon.' || v.partition_name)::regclass
        where v.table_name = p_table and v.day < (p_now at time zone 'UTC')::date
          and c.reloptions @> '{autovacuum_vacuum_insert_threshold=-1}'
      loop
        execute format('alter table carillon.%I reset (autovacuum_vacuum_threshold, autovacuum_vacuum_insert_threshold)', part);
        return next part;
      end loop;
    end
    $$`.execute(db)
  await sql`revoke execute on function carillon.end_day(text, timestamptz) from public`.execute(db)
  await sql`grant execute on function carillon.end_day(text, timestamptz) to carillon_worker`.execute(db)

  await sql`
    do $$
    declare
      part text;
    begin
      for part in
        select v.partition_name from carillon.partitions v
        where carillon.is_vacuumed_late(v.table_name) and v.day >= (now() at time zone 'UTC')::date
      loop
        execute format('alter table carillon.%I set (autovacuum_vacuum_threshold = 2000000000, autovacuum_vacuum_insert_threshold = -1)', part);
      end loop;
    end
    $$`.execute(db)
}
