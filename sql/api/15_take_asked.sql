-- What carillon.notify has asked for and no worker has taken yet: carillon.asked. A taker remembers the snapshot (p_seen) of its last
-- look that left nothing; what is new to it are rows of transactions that had not ended by then. So it finds what commits late
-- at once, and steps over no dead row that it has stepped over before.

-- Whether something was asked in a lane that a taker has not seen. p_seen null: it has seen nothing.
create or replace function carillon.is_asked(p_lane text, p_seen pg_snapshot) returns boolean
  language plpgsql stable set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
  fresh_from xid8 := coalesce(pg_snapshot_xmax(p_seen), '0');
  under_way xid8[] := array(select pg_snapshot_xip(p_seen));
begin
  return exists (
    select from unnest(carillon.priorities_of(p_lane)) as p (priority)
    where exists (select from carillon.asked a where a.priority = p.priority and a.xid >= fresh_from)
       or exists (select from carillon.asked a where a.priority = p.priority and a.xid = any (under_way)));
end
$$;

-- The priorities of a lane, the greatest first.
create or replace function carillon.priorities_of(p_lane text) returns smallint[] language sql immutable parallel safe
as $$ select case when p_lane = 'critical' then '{3}'::smallint[] else '{2,1,0}' end $$;

-- Take what was asked in a lane, at most p_max, by priority: it is deleted, told of (notification.intent.received) and put into
-- jobs of at most p_chunk intents each. Jobs that are due are born claimed by the caller's process, up to p_room intents
-- and not of the tenants p_full. A batch of events is of one second, and tells the least time in it.
-- Returns one row: the claimed jobs [{id, data}], whether others are due, and what the taker has now seen; none while
-- another takes. One takes at a time: a row that another has deleted and not yet committed would be lost to what was seen if that one failed.
-- Called by: queue/asked.ts, as a transaction of its own. Index: asked_pkey.
create or replace function carillon.take_asked(p_lane text, p_seen pg_snapshot, p_now timestamptz, p_max int, p_chunk int, p_room int,
  p_full uuid[])
  returns table (claimed json, others_due boolean, seen text)
  language plpgsql volatile set plan_cache_mode = force_generic_plan
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  fresh_from xid8 := coalesce(pg_snapshot_xmax(p_seen), '0');
  under_way xid8[] := array(select pg_snapshot_xip(p_seen));
  now_seen pg_snapshot;
  size int;
  jobs json;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('carillon.asked.' || p_lane, 0)) then
    return;
  end if;
  with taken as (
    delete from carillon.asked a
    where a.ctid = any (array(
      select w.row from unnest(carillon.priorities_of(p_lane)) as p (priority)
      cross join lateral (
        (select a.ctid as row from carillon.asked a where a.priority = p.priority and a.xid = any (under_way) limit p_max)
        union all
        (select a.ctid from carillon.asked a where a.priority = p.priority and a.xid >= fresh_from order by a.xid limit p_max)
      ) w
      limit p_max))
    returning a.tenant_id, a.id, a.priority, case when a.start_after > p_now then a.start_after end as start_after
  ), placed as materialized (
    select t.*, i.kind, i.type, i.source, i.event_id, i.idempotency_key, i.correlation_id, i.traceparent, i.accepted_at,
           (row_number() over (partition by t.tenant_id, t.priority, t.start_after order by t.id) - 1) / p_chunk as part
    from taken t
    join carillon.intents i on i.tenant_id = t.tenant_id and i.id = t.id
  ), told as (
    insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
    select b.tenant_id, carillon.new_intent_id(p_now), b.at, cardinality(b.ids), b.ids[1], b.ids[cardinality(b.ids)], b.events
    from (
      select p.tenant_id, min(p.accepted_at) as at, array_agg(p.id order by p.id) as ids,
             json_agg(json_strip_nulls(json_build_object('subject_id', p.id, 'type', 'notification.intent.received',
               'data', json_build_object('kind', p.kind, 'type', p.type, 'source', p.source, 'event_id', p.event_id,
                 'idempotency_key', p.idempotency_key, 'correlation_id', p.correlation_id, 'traceparent', p.traceparent))) order by p.id) as events
      from placed p
      group by p.tenant_id, p.priority, p.start_after, p.part, date_trunc('second', p.accepted_at)
    ) b
  ), chunks as (
    select gen_random_uuid() as id, p.tenant_id, p.priority, p.start_after, count(*) as size, array_agg(p.id order by p.id) as ids
    from placed p
    group by p.tenant_id, p.priority, p.start_after, p.part
  ), judged as (
    select c.*, c.start_after is null and c.tenant_id <> all (p_full) and
             sum(c.size) filter (where c.start_after is null and c.tenant_id <> all (p_full))
               over (order by c.priority desc, c.ids[1], c.id rows unbounded preceding) <= p_room as claimed
    from chunks c
  )
  select pg_current_snapshot(), (select count(*) from taken), (
    select json_agg(json_build_object('id', j.id, 'queue', 'intents-' || p_lane,
             'data', json_build_object('tenant_id', j.tenant_id, 'ids', j.ids, 'priority', j.priority),
             'priority', j.priority, 'start_after', j.start_after, 'claimed', j.claimed) order by j.priority desc, j.ids[1])
    from judged j)
  into now_seen, size, jobs;

  if jobs is not null then
    perform carillon.enqueue(jobs);
  end if;
  return query
    select coalesce(json_agg(json_build_object('id', j -> 'id', 'data', j -> 'data')) filter (where (j ->> 'claimed')::boolean), '[]'),
           coalesce(bool_or(not (j ->> 'claimed')::boolean and j ->> 'start_after' is null), false),
           (case when size < p_max then now_seen else p_seen end)::text
    from json_array_elements(jobs) j;
end
$$;
grant execute on function carillon.intents_queue(smallint), carillon.is_asked(text, pg_snapshot), carillon.priorities_of(text),
  carillon.take_asked(text, pg_snapshot, timestamptz, int, int, int, uuid[]) to carillon_worker;

-- When the oldest of what is due, and was asked and not yet taken, was asked: null where nothing was. For those who may see no
-- tenant's rows, and are told no more than this.
create or replace function carillon.oldest_asked() returns timestamptz
  language plpgsql stable security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
  return carillon.id_time((
    select a.id from unnest(array[3, 2, 1, 0]::smallint[]) as p (priority)
    cross join lateral (
      select a.id from carillon.asked a where a.priority = p.priority and coalesce(a.start_after <= now(), true) order by a.xid limit 1
    ) a
    order by a.id limit 1));
end
$$;
grant execute on function carillon.oldest_asked() to carillon_api, carillon_worker;
