import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  // Which tables are cut by day, how, and how long a day is kept.
  await sql`
    create table carillon.partitioned_tables (
      name text primary key,
      bound text not null,
      retention_days int not null,
      constraint bound_known check (bound in ('id', 'date')),
      constraint retention_positive check (retention_days > 0)
    )`.execute(db)
  await sql`
    insert into carillon.partitioned_tables (name, bound, retention_days) values
      ('intents', 'id', 90), ('notifications', 'id', 90), ('deliveries', 'id', 90), ('delivery_attempts', 'id', 90),
      ('status_events', 'id', 90), ('audit_log', 'id', 365), ('inbox_items', 'id', 30), ('idempotency_keys', 'date', 2)`.execute(
    db,
  )

  // Makes one table's daily partitions from the day before p_now to p_days_ahead after it. Safe to call at any time, by
  // many. Attaching locks the parent against nothing that reads or writes it; one table a transaction, and not for long.
  await sql`
    create function carillon.ensure_partitions(p_table text, p_now timestamptz, p_days_ahead int) returns setof text
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
      for d in select generate_series(today - 1, today + p_days_ahead, interval '1 day')::date loop
        part := t.name || '_' || to_char(d, 'YYYYMMDD');
        continue when to_regclass('carillon.' || part) is not null;
        options := case when t.name in ('deliveries', 'inbox_items') then ' with (fillfactor = 80)' else '' end;
        execute format('create table carillon.%I (like carillon.%I including all)%s', part, t.name, options);
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

  // The daily partitions as they are: table, day, name. The case guards to_date, which the planner may call on any relation.
  await sql`
    create view carillon.partitions as
      select t.name as table_name, c.relname::text as partition_name, case when c.relname ~ '_[0-9]{8}$' then to_date(right(c.relname, 8), 'YYYYMMDD') end as day,
             t.retention_days
      from carillon.partitioned_tables t
      join pg_inherits i on i.inhparent = ('carillon.' || t.name)::regclass
      join pg_class c on c.oid = i.inhrelid`.execute(db)

  // Why a day of a table cannot go yet; null: it can. A story is kept whole: its day goes when every intent of the day was
  // planned, its moment has come and none of its deliveries is under way. Events wait for every enabled follower.
  await sql`
    create function carillon.partition_in_use(p_table text, p_day date, p_now timestamptz) returns text
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
      elsif p_table = 'status_events' then
        select c.xid, c.id into slowest from carillon.feed_cursors c where c.enabled order by c.xid, c.id limit 1;
        if slowest.xid is not null then
          execute format('select exists (select from carillon.%I where (xid, id) > ($1, $2))', 'status_events_' || suffix)
            into busy using slowest.xid, slowest.id;
          if busy then return 'events not yet passed on'; end if;
        end if;
      end if;
      return null;
    end
    $$`.execute(db)

  // Drops one day of one table, unless it is in use. Dropping locks the parent against everything, so it does not wait
  // for that lock for long: whoever is in its way would hold up everybody else. Items that leave the inbox leave its
  // counters, and dead letters go with their deliveries.
  await sql`
    create function carillon.drop_partition(p_table text, p_day date, p_now timestamptz) returns text
      language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '300ms'
    as $$
    declare
      part text := p_table || '_' || to_char(p_day, 'YYYYMMDD');
      in_use text;
    begin
      perform pg_advisory_xact_lock(hashtextextended('carillon.partitions', 0));
      if not exists (select from carillon.partitions v where v.table_name = p_table and v.day = p_day
                     and v.day < (p_now at time zone 'UTC')::date - v.retention_days) then
        return 'not past its retention';
      end if;
      in_use := carillon.partition_in_use(p_table, p_day, p_now);
      if in_use is not null then
        return in_use;
      end if;
      if p_table = 'inbox_items' then
        execute format(
          'update carillon.inbox_counters c
              set unread = greatest(0, c.unread - gone.unread), unseen = greatest(0, c.unseen - gone.unseen)
             from (select tenant_id, recipient_id,
                          count(*) filter (where read_at is null and archived_at is null) as unread,
                          count(*) filter (where seen_at is null and archived_at is null) as unseen
                     from carillon.%I group by 1, 2) gone
            where c.tenant_id = gone.tenant_id and c.recipient_id = gone.recipient_id', part);
      elsif p_table = 'deliveries' then
        delete from carillon.dead_letters l
        where l.delivery_id >= carillon.first_id_at(p_day::timestamp at time zone 'UTC')
          and l.delivery_id < carillon.first_id_at((p_day + 1)::timestamp at time zone 'UTC');
      end if;
      execute format('drop table carillon.%I', part);
      return null;
    end
    $$`.execute(db)

  await sql`grant execute on function carillon.ensure_partitions(text, timestamptz, int), carillon.drop_partition(text, date, timestamptz) to carillon_worker`.execute(
    db,
  )
  await sql`grant select on carillon.partitions, carillon.partitioned_tables to carillon_api, carillon_worker`.execute(
    db,
  )
  await sql`grant update (retention_days) on carillon.partitioned_tables to carillon_worker`.execute(db)
}
