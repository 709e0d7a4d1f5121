-- Suppress what was planned for a recipient and has not been sent: of a category, an event type, a channel, or all of it. Categories
-- that are required stay, unless the category is named; so does what is at a provider at this moment, and what waits in snoozes,
-- which decide_again has decided anew. Returns how many deliveries.
-- Called by: change_preferences, withdraw_consent, in their transaction. Index: notifications_recipient, deliveries_pkey.
-- Locks: the deliveries, in id order.
create or replace function carillon.stop_unsent(p_tenant uuid, p_recipient text, p_reason text, p_now timestamptz,
  p_category text default null, p_type text default null, p_channel text default null) returns bigint
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  told json;
begin
  with theirs as materialized (
    select n.id, n.type, n.category, n.correlation_id, n.traceparent
    from carillon.notifications n
    where n.tenant_id = p_tenant and n.recipient_id = p_recipient and n.recipient_type <> 'system' and n.outcome is null
      and (p_category is null or n.category = p_category) and (p_type is null or n.type = p_type)
      and (p_channel is null or not n.has_fallback) -- the turn of a fallback comes with a failure
      and (p_category is not null or not exists (
        select from carillon.categories c where c.tenant_id = p_tenant and c.name = n.category and c.required))
  ), waiting as materialized (
    select d.id, t.id as notification_id
    from theirs t
    cross join lateral (
      select d.id from carillon.deliveries d
      where d.tenant_id = p_tenant and d.id > t.id and d.id <= carillon.last_id_of(t.id)
        and d.state in ('queued', 'held', 'retrying') and d.channel <> 'audit' and (p_channel is null or d.channel::text = p_channel)
    ) d
  ), locked as materialized (
    select d.id from carillon.deliveries d
    where d.tenant_id = p_tenant and d.id = any (array(select w.id from waiting w))
      and d.id between (select min(w.id::text)::uuid from waiting w) and (select max(w.id::text)::uuid from waiting w)
      and d.state in ('queued', 'held', 'retrying')
    order by d.id for update
  ), stopped as (
    update carillon.deliveries d set state = 'suppressed', reason = p_reason, next_attempt_at = null, updated_at = p_now
    where d.tenant_id = p_tenant and d.id = any (array(select l.id from locked l))
      and d.id between (select min(l.id::text)::uuid from locked l) and (select max(l.id::text)::uuid from locked l)
    returning d.id, d.channel::text as channel
  )
  select json_agg(json_strip_nulls(json_build_object('subject_id', s.id, 'type', 'notification.' || s.channel || '.suppressed',
    'data', json_build_object('recipient_id', p_recipient, 'type', t.type, 'category', t.category, 'channel', s.channel,
      'reason', p_reason, 'idempotency_key', i.idempotency_key, 'correlation_id', t.correlation_id, 'traceparent', t.traceparent)))
    order by s.id)
  into told
  from stopped s
  join waiting w on w.id = s.id
  join theirs t on t.id = w.notification_id
  left join carillon.intents i on i.tenant_id = p_tenant and i.id = carillon.intent_id_of(t.id);
  if told is null then
    return 0;
  end if;
  perform carillon.append_events(p_tenant, carillon.new_intent_id(p_now), p_now, told);
  return json_array_length(told);
end
$$;
grant execute on function carillon.stop_unsent(uuid, text, text, timestamptz, text, text, text) to carillon_api, carillon_worker;
