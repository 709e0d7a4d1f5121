-- The log of status events, one event a row. subject_id: an intent, a notification or a delivery; type and data: see docs/kafka.md.
-- Looking for the events of one story: carillon.events_of(id), which has an index; a condition on subject_id here reads everything.
create or replace function carillon.event_id(batch uuid, place bigint) returns uuid language sql immutable parallel safe
as $$
  select case when place = 0 then batch
              else (left(batch::text, 28) || lpad(to_hex(('x' || right(batch::text, 8))::bit(32)::bigint + place), 8, '0'))::uuid end
$$;
grant execute on function carillon.event_id(uuid, bigint) to carillon_api, carillon_worker, carillon_analyst;

create or replace view carillon.status_events with (security_invoker = true) as
  select l.tenant_id, e.subject_id, carillon.event_id(l.id, e.ordinality - 1) as id, l.xid, e.type, l.at, e.data
  from carillon.status_log l
  cross join lateral rows from (json_to_recordset(l.events) as (subject_id uuid, type text, data json)) with ordinality as e;
grant select on carillon.status_events to carillon_api, carillon_worker, carillon_analyst;

-- Everything that happened to an intent, a notification or a delivery, and to what belongs to it, in order.
create or replace function carillon.events_of(p_id uuid) 
  returns table (tenant_id uuid, subject_id uuid, id uuid, xid xid8, type text, at timestamptz, data json)
  language sql stable
as $$
  select l.tenant_id, e.subject_id, carillon.event_id(l.id, e.ordinality - 1), l.xid, e.type, l.at, e.data
  from carillon.status_log l
  cross join lateral rows from (json_to_recordset(l.events) as (subject_id uuid, type text, data json)) with ordinality as e
  where l.id >= carillon.first_id_at(carillon.id_time(p_id) - interval '1 minute')
    and l.first_subject <= carillon.last_id_of(p_id) and l.last_subject >= p_id
    and e.subject_id between p_id and carillon.last_id_of(p_id)
  order by l.xid, l.id, e.ordinality
$$;
grant execute on function carillon.events_of(uuid) to carillon_api, carillon_worker, carillon_analyst;

-- Append what a transaction has to tell of one tenant: p_id a fresh id with its last 32 bits zero, p_events
-- [{"subject_id", "type", "data"}] in order; none is nothing.
create or replace function carillon.append_events(p_tenant uuid, p_id uuid, p_at timestamptz, p_events json) returns void
  language sql volatile
as $$
  insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
  select p_tenant, p_id, p_at, cardinality(s.ids), s.ids[1], s.ids[cardinality(s.ids)], p_events
  from (select array(select e.subject_id from json_to_recordset(p_events) as e (subject_id uuid) order by 1) as ids) s
  where cardinality(s.ids) > 0
$$;
grant execute on function carillon.append_events(uuid, uuid, timestamptz, json) to carillon_api, carillon_worker;
