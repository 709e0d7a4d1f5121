-- Accept a batch of intents: dedupe by idempotency key, write the intents, append their events, enqueue their planning.
--   p_rows: [{"ord", "tenant_id", "id", "kind", "type", "priority", "category", "idempotency_key", "event_id", "correlation_id",
--           "traceparent", "source", "scheduled_at", "expires_at", "recipients", "payload", "told_id", "told"}], validated by
--           the caller; told_id and told are the id and the data of the status event.
--   p_key_ttl: how long a key is remembered; it is kept that long, and at most an hour longer. Null: as long as its
--           partitions are kept for, in whole days.
-- Returns one row per input row: accepted, duplicate (with the first answer's intent) or conflict (same key, other payload).
-- Called by: pipeline/accept/accept-intents.ts and carillon.notify. Keys are inserted in order, so two batches cannot deadlock.
create or replace function carillon.accept_intents(p_rows json, p_now timestamptz, p_key_ttl interval default null)
  returns table (ord int, status text, intent_id uuid)
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  today date := (p_now at time zone 'UTC')::date;
  key_ttl interval := coalesce(p_key_ttl, (select (t.retention_days - 1) * interval '1 day' from carillon.partitioned_tables t
                                           where t.name = 'idempotency_keys'));
  oldest date := ((p_now - key_ttl) at time zone 'UTC')::date;
  buckets date[] := array(select distinct b from unnest(array[today, ((p_now + interval '1 hour') at time zone 'UTC')::date]) b);
  tenants uuid[] := carillon.current_tenants();
  ords int[];
  statuses text[];
  intent_ids uuid[];
  planning json;
  asked int;
  foreign_rows int;
begin
  with input as materialized (
    select r.*,
           case when r.idempotency_key is not null then
             sha256(convert_to(jsonb_build_array(r.kind, r.type, r.priority, r.category, r.event_id, r.scheduled_at,
                                                 r.expires_at, r.payload)::text, 'UTF8'))
           end as payload_hash
    from json_to_recordset(p_rows) as r (ord int, tenant_id uuid, id uuid, kind text, type text, priority smallint, category text,
      idempotency_key text, event_id text, correlation_id text, traceparent text, source text, scheduled_at timestamptz,
      expires_at timestamptz, recipients int, payload jsonb, told_id uuid, told json)
  ), seen as ( -- keys of earlier days that are still alive
    select i.ord, k.intent_id, k.payload_hash = i.payload_hash as same
    from input i
    join carillon.idempotency_keys k
      on k.tenant_id = i.tenant_id and k.key = i.idempotency_key
     and k.bucket >= oldest and k.bucket < today and k.created_at > p_now - key_ttl
  ), claimed as (
    insert into carillon.idempotency_keys (tenant_id, key, bucket, payload_hash, intent_id, created_at)
    select i.tenant_id, i.idempotency_key, b.bucket, i.payload_hash, i.id, p_now
    from input i cross join unnest(buckets) as b (bucket)
    where i.idempotency_key is not null and not exists (select from seen s where s.ord = i.ord)
    order by i.tenant_id, i.idempotency_key, b.bucket, i.ord
    on conflict do nothing
    returning intent_id
  ), won as ( -- in every bucket: in an hour with two, somebody's clock may have won one of them only
    select intent_id from claimed group by intent_id having count(*) = cardinality(buckets)
  ), fresh as materialized (
    select i.* from input i
    where (i.idempotency_key is null) or i.id in (select w.intent_id from won w)
  ), stored as (
    insert into carillon.intents (tenant_id, id, kind, type, priority, category, idempotency_key, event_id, correlation_id,
      traceparent, source, scheduled_at, expires_at, accepted_at, recipients, payload)
    select f.tenant_id, f.id, f.kind, f.type, f.priority, f.category, f.idempotency_key, f.event_id, f.correlation_id,
      f.traceparent, f.source, f.scheduled_at, f.expires_at, p_now, f.recipients, f.payload
    from fresh f
  ), told as (
    insert into carillon.status_events (tenant_id, subject_id, id, type, at, data)
    select f.tenant_id, f.id, f.told_id, 'notification.intent.received', p_now, f.told
    from fresh f
  ), chunks as (
    select json_agg(json_build_object('queue', c.queue, 'data', c.data, 'priority', c.priority, 'start_after', c.start_after)) as jobs
    from (
      select case when p.priority = 3 then 'intents-critical' else 'intents-bulk' end as queue,
             json_build_object('tenant_id', p.tenant_id, 'ids', json_agg(p.id)) as data,
             p.priority, p.scheduled_at as start_after
      from (select f.*, (row_number() over (partition by f.tenant_id, f.priority, f.scheduled_at order by f.ord) - 1) / 500 as page
            from fresh f) p
      group by p.tenant_id, p.priority, p.scheduled_at, p.page
    ) c
  )
  select array_agg(a.ord), array_agg(a.status), array_agg(a.intent_id), (select c.jobs from chunks c),
         (select count(*) from input), (select count(*) from input i where i.tenant_id <> all (tenants))
    into ords, statuses, intent_ids, planning, asked, foreign_rows
  from (
    select f.ord, 'accepted' as status, f.id as intent_id from fresh f
    union all
    select s.ord, case when s.same then 'duplicate' else 'conflict' end, s.intent_id from seen s
  ) a;

  if foreign_rows > 0 then
    raise exception 'the batch holds intents of a tenant that this session may not act for' using errcode = 'insufficient_privilege';
  end if;
  if planning is not null then
    perform carillon.enqueue(planning);
  end if;
  return query select * from unnest(ords, statuses, intent_ids);

  if coalesce(cardinality(ords), 0) < asked then
    -- What is left met a key of today, perhaps of a transaction that has only just committed: look with fresh eyes.
    delete from carillon.idempotency_keys k
    using json_to_recordset(p_rows) as r (ord int, tenant_id uuid, id uuid, idempotency_key text)
    where k.tenant_id = r.tenant_id and k.key = r.idempotency_key and k.bucket = any (buckets)
      and k.intent_id = r.id and r.ord <> all (coalesce(ords, '{}'));

    return query
      select distinct on (r.ord) r.ord,
        case when k.payload_hash = sha256(convert_to(jsonb_build_array(r.kind, r.type, r.priority, r.category, r.event_id,
               r.scheduled_at, r.expires_at, r.payload)::text, 'UTF8'))
             then 'duplicate' else 'conflict' end,
        k.intent_id
      from json_to_recordset(p_rows) as r (ord int, tenant_id uuid, id uuid, kind text, type text, priority smallint, category text,
        idempotency_key text, event_id text, scheduled_at timestamptz, expires_at timestamptz, payload jsonb)
      join carillon.idempotency_keys k on k.tenant_id = r.tenant_id and k.key = r.idempotency_key and k.bucket >= today
      where r.ord <> all (coalesce(ords, '{}'))
      order by r.ord, k.bucket;
  end if;
end
$$;
grant execute on function carillon.accept_intents(json, timestamptz, interval) to carillon_api, carillon_worker;
