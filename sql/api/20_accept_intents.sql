-- Accept a batch of intents: dedupe by idempotency key, write the intents, append their events, enqueue their planning.
--   One array a column, one place a row, validated by the caller; an empty array is a column of nulls. p_payloads is a JSON
--   array of the same length. p_jobs: the job that each intent travels in; those of one job agree in tenant, priority and
--   scheduled_at. p_claimed: the caller's process plans them itself, as soon as this commits.
--   p_events: [{"tenant_id", "id", "events"}], one batch of the status log for each tenant, in the order of the rows.
--   p_key_ttl: how long a key is remembered; it is kept that long, and at most an hour longer. Null: as long as its
--   partitions are kept for, in whole days.
-- Returns one row per input row: its place (from 1), and accepted, duplicate (with the first answer's intent) or conflict
-- (same key, other payload).
-- One generic plan: planning anew for each batch's days costs more than a small batch's work.
-- Called by: pipeline/accept/accept-intents.ts and carillon.notify. Keys are inserted in order, so two batches cannot deadlock.
create or replace function carillon.accept_intents(
  p_now timestamptz, p_key_ttl interval, p_claimed boolean, p_tenants uuid[], p_ids uuid[], p_kinds text[], p_types text[],
  p_priorities smallint[], p_categories text[], p_keys text[], p_event_ids text[], p_correlation_ids text[], p_traceparents text[],
  p_sources text[], p_scheduled_at timestamptz[], p_expires_at timestamptz[], p_recipients int[], p_jobs uuid[], p_payloads jsonb,
  p_events json
)
  returns table (ord int, status text, intent_id uuid)
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  today date := carillon.key_bucket(p_now);
  key_ttl interval := coalesce(p_key_ttl, (select (t.retention_days - 1) * interval '1 day' from carillon.partitioned_tables t
                                           where t.name = 'idempotency_keys'));
  oldest date := carillon.key_bucket(p_now - key_ttl);
  buckets date[] := array(select distinct b from unnest(array[today, carillon.next_key_bucket(p_now)]) b);
  tenants uuid[] := carillon.session_tenants();
  ords int[];
  statuses text[];
  intent_ids uuid[];
begin
  if not p_tenants <@ tenants then
    raise exception 'the batch holds intents of a tenant that this session may not act for' using errcode = 'insufficient_privilege';
  end if;

  with input as materialized (
    select r.*, case when r.idempotency_key is not null then
                  carillon.payload_hash(r.kind, r.type, r.priority, r.category, r.event_id, r.scheduled_at, r.expires_at, r.payload)
                end as payload_hash
    from rows from (
      unnest(p_tenants), unnest(p_ids), unnest(p_kinds), unnest(p_types), unnest(p_priorities), unnest(p_categories), unnest(p_keys),
      unnest(p_event_ids), unnest(p_correlation_ids), unnest(p_traceparents), unnest(p_sources), unnest(p_scheduled_at),
      unnest(p_expires_at), unnest(p_recipients), unnest(p_jobs), jsonb_array_elements(p_payloads)
    ) with ordinality as r (tenant_id, id, kind, type, priority, category, idempotency_key, event_id, correlation_id, traceparent,
      source, scheduled_at, expires_at, recipients, job, payload, ord)
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
    where i.idempotency_key is not null and i.ord not in (select s.ord from seen s)
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
  ), batches as (
    select b.tenant_id, b.id,
           case when (select count(*) from fresh) = cardinality(p_ids) then b.events
                else (select json_agg(e.value order by e.ordinality)
                      from json_array_elements(b.events) with ordinality e
                      where (e.value ->> 'subject_id')::uuid in (select f.id from fresh f)) end as events
    from json_to_recordset(p_events) as b (tenant_id uuid, id uuid, events json)
  ), told as (
    insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
    select b.tenant_id, b.id, p_now, s.size, s.ids[1], s.ids[s.size], b.events
    from batches b
    join (select f.tenant_id, count(*)::int as size, array_agg(f.id order by f.id) as ids from fresh f group by f.tenant_id) s
      on s.tenant_id = b.tenant_id
  ), queued as (
    insert into pgboss.job (id, name, group_id, data, priority, start_after, keep_until, retry_limit, retry_delay, retry_backoff,
                            retry_delay_max, expire_seconds, deletion_seconds, policy, dead_letter, heartbeat_seconds,
                            state, started_on, heartbeat_on)
    select b.*
    from (select f.job, f.tenant_id, f.priority, f.scheduled_at, array_agg(f.id order by f.ord) as ids
          from fresh f group by f.job, f.tenant_id, f.priority, f.scheduled_at) c
    cross join lateral carillon.new_job(c.job, carillon.intents_queue(c.priority),
      jsonb_build_object('tenant_id', c.tenant_id, 'ids', c.ids, 'priority', c.priority), c.priority, c.scheduled_at,
      p_claimed and coalesce(c.scheduled_at <= p_now, true)) b
  )
  select array_agg(a.ord), array_agg(a.status), array_agg(a.intent_id)
    into ords, statuses, intent_ids
  from (
    select f.ord::int, 'accepted' as status, f.id as intent_id from fresh f
    union all
    select s.ord::int, case when s.same then 'duplicate' else 'conflict' end, s.intent_id from seen s
  ) a;

  return query select * from unnest(ords, statuses, intent_ids);

  if coalesce(cardinality(ords), 0) < cardinality(p_ids) then
    -- What is left met a key of today, perhaps of a transaction that has only just committed: look with fresh eyes.
    delete from carillon.idempotency_keys k
    using unnest(p_tenants, p_ids, p_keys) with ordinality as r (tenant_id, id, idempotency_key, ord)
    where k.tenant_id = r.tenant_id and k.key = r.idempotency_key and k.bucket = any (buckets)
      and k.intent_id = r.id and r.ord <> all (coalesce(ords, '{}'));

    return query
      select distinct on (r.ord) r.ord::int,
        case when k.payload_hash = carillon.payload_hash(r.kind, r.type, r.priority, r.category, r.event_id, r.scheduled_at, r.expires_at, r.payload)
             then 'duplicate' else 'conflict' end,
        k.intent_id
      from rows from (
        unnest(p_tenants), unnest(p_kinds), unnest(p_types), unnest(p_priorities), unnest(p_categories), unnest(p_keys), unnest(p_event_ids),
        unnest(p_scheduled_at), unnest(p_expires_at), jsonb_array_elements(p_payloads)
      ) with ordinality as r (tenant_id, kind, type, priority, category, idempotency_key, event_id, scheduled_at, expires_at, payload, ord)
      join carillon.idempotency_keys k on k.tenant_id = r.tenant_id and k.key = r.idempotency_key and k.bucket >= today
      where r.ord <> all (coalesce(ords, '{}'))
      order by r.ord, k.bucket;
  end if;
end
$$;
grant execute on function carillon.accept_intents(timestamptz, interval, boolean, uuid[], uuid[], text[], text[], smallint[], text[], text[], text[],
  text[], text[], text[], timestamptz[], timestamptz[], int[], uuid[], jsonb, json) to carillon_api, carillon_worker;
