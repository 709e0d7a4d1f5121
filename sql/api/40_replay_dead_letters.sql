-- Send dead letters once more, after a person has mended the cause: the deliveries wait again, in the caller's transaction.
-- Returns those that were open dead letters; others are left alone. Each gets one more attempt, and the rest of its retries if any.
-- Called by: store/dead-letters.ts. Locks: dead letters, then deliveries, in id order.
create or replace function carillon.replay_dead_letters(p_tenant uuid, p_ids uuid[], p_by text, p_now timestamptz) returns setof uuid
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  jobs json;
  told json;
  replayed uuid[];
begin
  if p_tenant <> all (carillon.current_tenants()) then
    raise exception 'this session may not act for that tenant' using errcode = 'insufficient_privilege';
  end if;
  with open as materialized (
    select l.delivery_id from carillon.dead_letters l
    where l.tenant_id = p_tenant and l.delivery_id = any (p_ids) and l.state = 'open'
    order by l.delivery_id for update
  ), resolved as (
    update carillon.dead_letters l set state = 'replayed', resolved_at = p_now, resolved_by = p_by
    from open o where l.tenant_id = p_tenant and l.delivery_id = o.delivery_id
  ), waiting as (
    update carillon.deliveries d set state = 'queued', reason = null, updated_at = p_now
    from open o
    where d.tenant_id = p_tenant and d.id = o.delivery_id and d.state = 'failed'
      and d.id between (select i from unnest(p_ids) i order by i limit 1) and (select i from unnest(p_ids) i order by i desc limit 1)
    returning d.id, d.channel::text as channel, d.priority
  )
  select array_agg(w.id), (
    select json_agg(json_build_object('queue', c.queue, 'data', c.data, 'priority', c.priority))
    from (
      select 'deliver-' || x.channel || case when x.priority = 3 then '-critical' else '-bulk' end as queue,
             json_build_object('tenant_id', p_tenant, 'ids', json_agg(x.id)) as data, x.priority
      from waiting x group by x.channel, x.priority
    ) c),
    json_agg(json_strip_nulls(json_build_object('subject_id', w.id, 'type', 'notification.replayed', 'data', json_build_object(
      'recipient_id', n.recipient_id, 'type', n.type, 'category', n.category, 'channel', w.channel, 'by', p_by,
      'idempotency_key', i.idempotency_key, 'correlation_id', n.correlation_id, 'traceparent', n.traceparent))))
  into replayed, jobs, told
  from waiting w
  left join carillon.notifications n on n.tenant_id = p_tenant and n.id = carillon.notification_id_of(w.id)
  left join carillon.intents i on i.tenant_id = p_tenant and i.id = carillon.intent_id_of(w.id);
  if jobs is not null then
    perform carillon.append_events(p_tenant, carillon.new_intent_id(p_now), p_now, told);
    perform carillon.enqueue(jobs);
  end if;
  return query select unnest(replayed);
end
$$;
grant execute on function carillon.replay_dead_letters(uuid, uuid[], text, timestamptz) to carillon_api, carillon_worker;
