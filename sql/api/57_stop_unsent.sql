-- The ids that a notification's deliveries may have: the last byte is the channel's number.
create or replace function carillon.delivery_ids(p_notification uuid) returns setof uuid language sql immutable parallel safe
as $$ select (left(p_notification::text, 34) || lpad(to_hex(c), 2, '0'))::uuid from generate_series(1, cardinality(carillon.channel_names())) c $$;

-- Suppress what was planned for a recipient and has not been sent: of a category, an event type, a channel, or all of it. Categories
-- that are required stay, unless the category is named; so does what is at a provider at this moment, and what waits in snoozes,
-- which decide_again has decided anew. Where a channel is stopped that had a fallback, its turn has come: the gates are asked of it again. Returns how many deliveries.
-- Called by: change_preferences, add_consent, in their transaction. Index: notifications_recipient, deliveries_pkey.
-- Without sequential scans: tables that were not analyzed yet look small, and each notification would read all deliveries.
-- Locks: notifications with fallbacks, where a channel is stopped, before their deliveries, each in id order, as settling does.
create or replace function carillon.stop_unsent(p_tenant uuid, p_recipient text, p_reason text, p_now timestamptz,
  p_category text default null, p_type text default null, p_channel text default null) returns bigint
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
  about uuid[];
  fallbacks uuid[];
  stopped uuid[];
  told json;
begin
  -- Workers act for every tenant; which role acts is told by the setting, for the function runs as its owner.
  if p_tenant <> all (carillon.current_tenants()) and current_setting('role') <> 'carillon_worker' then
    raise exception 'this session may not act for that tenant' using errcode = 'insufficient_privilege';
  end if;
  select array_agg(n.id order by n.id), array_agg(n.id order by n.id) filter (where n.has_fallback)
  into about, fallbacks
  from carillon.notifications n
  where n.tenant_id = p_tenant and n.recipient_id = p_recipient and n.recipient_type <> 'system' and n.outcome is null
    and (p_category is null or n.category = p_category) and (p_type is null or n.type = p_type)
    and (p_category is not null or p_reason = 'recipient_disabled' or not exists (
      select from carillon.categories c where c.tenant_id = p_tenant and c.name = n.category and c.required))
    and (select true from carillon.deliveries d -- not as a join, which would read the deliveries of everybody
         where d.tenant_id = p_tenant and d.id > n.id and d.id <= carillon.last_id_of(n.id)
           and d.state in ('queued', 'held', 'retrying') and d.channel <> 'audit' and (p_channel is null or d.channel::text = p_channel)
         limit 1);
  if about is null then
    return 0;
  end if;
  if p_channel is not null and fallbacks is not null then
    perform from carillon.notifications n
    where n.tenant_id = p_tenant and n.id = any (fallbacks) and n.id between fallbacks[1] and fallbacks[cardinality(fallbacks)]
    order by n.id for update;
  end if;

  with waiting as materialized (
    select d.id from carillon.deliveries d
    where d.tenant_id = p_tenant and d.id > about[1] and d.id <= carillon.last_id_of(about[cardinality(about)])
      and d.id = any (array(select carillon.delivery_ids(a) from unnest(about) a))
      and d.state in ('queued', 'held', 'retrying') and d.channel <> 'audit' and (p_channel is null or d.channel::text = p_channel)
    order by d.id for update
  ), changed as (
    update carillon.deliveries d set state = 'suppressed', reason = p_reason, next_attempt_at = null, updated_at = p_now
    where d.tenant_id = p_tenant and d.id = any (array(select w.id from waiting w))
      and d.id > about[1] and d.id <= carillon.last_id_of(about[cardinality(about)])
    returning d.id
  )
  select array_agg(c.id) into stopped from changed c;
  if stopped is null then
    return 0;
  end if;

  if p_channel is not null and fallbacks is not null then
    with siblings as materialized (
      select d.id, carillon.notification_id_of(d.id) as notification_id, d.channel, d.state, d.fallback_rank
      from carillon.deliveries d
      where d.tenant_id = p_tenant and d.id > fallbacks[1] and d.id <= carillon.last_id_of(fallbacks[cardinality(fallbacks)])
        and d.id = any (array(select carillon.delivery_ids(f) from unnest(fallbacks) f))
    ), next as (
      select distinct on (s.notification_id) s.id from siblings s
      where s.state = 'held' and not exists (
        select from siblings o where o.notification_id = s.notification_id and o.channel <> 'audit'
          and o.state in ('queued', 'snoozed', 'sending', 'retrying', 'sent', 'delivered'))
      order by s.notification_id, s.fallback_rank
    ), changed as (
      update carillon.deliveries d
      set state = case when d.priority = 3 then 'queued' else 'snoozed' end::carillon.delivery_state, updated_at = p_now
      where d.tenant_id = p_tenant and d.id = any (array(select x.id from next x)) and d.state = 'held'
        and d.id > fallbacks[1] and d.id <= carillon.last_id_of(fallbacks[cardinality(fallbacks)])
      returning d.id, d.channel, d.priority, d.state
    ), asked_again as (
      insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
      select p_tenant, c.id, p_recipient, c.channel, c.priority, 'fallback', p_now, p_now from changed c where c.state = 'snoozed'
    )
    select array_agg(c.id), json_agg(json_build_object('priority', c.priority,
      'queue', 'deliver-' || c.channel::text || case when c.priority = 3 then '-critical' else '-bulk' end,
      'data', json_build_object('tenant_id', p_tenant, 'ids', json_build_array(c.id), 'priority', c.priority)))
    into released, jobs from changed c where c.state = 'queued';
    if jobs is not null then
      perform carillon.enqueue(jobs);
    end if;
  end if;

  select json_agg(json_strip_nulls(json_build_object('subject_id', d.id,
    'type', 'notification.' || d.channel::text || '.suppressed',
    'data', json_build_object('recipient_id', p_recipient, 'type', n.type, 'category', n.category, 'channel', d.channel::text,
      'reason', p_reason,
      'idempotency_key', i.idempotency_key, 'correlation_id', n.correlation_id, 'traceparent', n.traceparent)))
    order by d.id)
  into told
  from carillon.deliveries d
  join carillon.notifications n on n.tenant_id = p_tenant and n.id = carillon.notification_id_of(d.id)
  left join carillon.intents i on i.tenant_id = p_tenant and i.id = carillon.intent_id_of(d.id)
  where d.tenant_id = p_tenant and d.id = any (stopped)
    and d.id > about[1] and d.id <= carillon.last_id_of(about[cardinality(about)]);
  perform carillon.append_events(p_tenant, carillon.new_intent_id(p_now), p_now, told);
  return cardinality(stopped);
end
$$;
grant execute on function carillon.stop_unsent(uuid, text, text, timestamptz, text, text, text) to carillon_api, carillon_worker;
