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

  // Makes the daily partitions from the day before p_now to p_days_ahead after it. Safe to call at any time, by many.
  await sql`
    create function carillon.ensure_partitions(p_now timestamptz, p_days_ahead int) returns setof text
      language plpgsql security definer set search_path = pg_catalog
    as $$
    declare
      t record;
      d date;
      today date := (p_now at time zone 'UTC')::date;
      part text;
      options text;
    begin
      perform pg_advisory_xact_lock(hashtextextended('carillon.partitions', 0));
      for t in select * from carillon.partitioned_tables order by name loop
        for d in select generate_series(today - 1, today + p_days_ahead, interval '1 day')::date loop
          part := t.name || '_' || to_char(d, 'YYYYMMDD');
          continue when to_regclass('carillon.' || part) is not null;
          options := case when t.name in ('deliveries', 'inbox_items') then ' with (fillfactor = 80)' else '' end;
          if t.bound = 'id' then
            execute format('create table carillon.%I partition of carillon.%I for values from (%L) to (%L)%s', part, t.name,
              carillon.first_id_at(d::timestamp at time zone 'UTC'), carillon.first_id_at((d + 1)::timestamp at time zone 'UTC'), options);
          else
            execute format('create table carillon.%I partition of carillon.%I for values from (%L) to (%L)', part, t.name, d, d + 1);
          end if;
          return next part;
        end loop;
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

  // Drops the days that are past their retention, but no day that still has something to do: intents whose moment has
  // not come, deliveries that have not ended, events that an enabled follower has not passed on. Items that leave the
  // inbox leave its counters too.
  await sql`
    create function carillon.drop_expired_partitions(p_now timestamptz) returns table (partition_name text, dropped boolean, kept_because text)
      language plpgsql security definer set search_path = pg_catalog
    as $$
    declare
      p record;
      busy boolean;
      slowest record;
    begin
      perform pg_advisory_xact_lock(hashtextextended('carillon.partitions', 0));
      select c.xid, c.id into slowest from carillon.feed_cursors c where c.enabled order by c.xid, c.id limit 1;
      for p in
        select v.* from carillon.partitions v
        where v.day < (p_now at time zone 'UTC')::date - v.retention_days
        order by v.day, v.table_name
      loop
        busy := false;
        kept_because := null;
        if p.table_name in ('intents', 'notifications', 'deliveries', 'delivery_attempts', 'audit_log') then
          -- The story is kept whole: its day goes when none of its deliveries is under way and no intent is yet to come.
          if to_regclass('carillon.deliveries_' || to_char(p.day, 'YYYYMMDD')) is not null then
            execute format('select exists (select from carillon.%I where state in (''queued'', ''sending'', ''retrying''))',
              'deliveries_' || to_char(p.day, 'YYYYMMDD')) into busy;
          end if;
          if not busy and to_regclass('carillon.intents_' || to_char(p.day, 'YYYYMMDD')) is not null then
            execute format('select exists (select from carillon.%I where scheduled_at > $1)',
              'intents_' || to_char(p.day, 'YYYYMMDD')) into busy using p_now;
          end if;
          if busy then kept_because := 'unfinished deliveries or scheduled intents'; end if;
        elsif p.table_name = 'status_events' and slowest.xid is not null then
          execute format('select exists (select from carillon.%I where (xid, id) > ($1, $2))', p.partition_name)
            into busy using slowest.xid, slowest.id;
          if busy then kept_because := 'events not yet passed on'; end if;
        elsif p.table_name = 'inbox_items' then
          execute format(
            'update carillon.inbox_counters c
                set unread = greatest(0, c.unread - gone.unread), unseen = greatest(0, c.unseen - gone.unseen)
               from (select tenant_id, recipient_id,
                            count(*) filter (where read_at is null and archived_at is null) as unread,
                            count(*) filter (where seen_at is null and archived_at is null) as unseen
                       from carillon.%I group by 1, 2) gone
              where c.tenant_id = gone.tenant_id and c.recipient_id = gone.recipient_id', p.partition_name);
        end if;
        if not busy then
          execute format('drop table carillon.%I', p.partition_name);
        end if;
        partition_name := p.partition_name;
        dropped := not busy;
        return next;
      end loop;
    end
    $$`.execute(db)

  await sql`grant execute on function carillon.ensure_partitions(timestamptz, int), carillon.drop_expired_partitions(timestamptz) to carillon_worker`.execute(
    db,
  )
  await sql`grant select on carillon.partitions, carillon.partitioned_tables to carillon_api, carillon_worker`.execute(
    db,
  )
  await sql`grant update (retention_days) on carillon.partitioned_tables to carillon_worker`.execute(db)
}
