-- Cancelling an intent, in two parts: first it is marked, and nothing of it is planned from then on; then what was planned and has not left
-- is cancelled, page by page.

-- The moment of a tenant's plannings, against which a cancellation is set: shared by plannings, alone for a cancellation.
create or replace function carillon.planning_key(p_tenant uuid) returns bigint language sql immutable parallel safe
return hashtextextended('carillon.planning.' || p_tenant::text, 0);

-- The intents between two ids that are cancelled, for a planning that is about to write; null where there are none. From here to the
-- end of the planning's transaction no cancellation of the tenant is marked: it waits, and then sees all that was planned.
-- Called by: sql/plan/plan_notifications.sql. Volatile, so that it looks after it has the lock, with a snapshot of its own.
-- Index: intents_cancelled. Without sequential scans: the plan is made once, and a new day's partition looks small.
create or replace function carillon.cancelled_intents(p_tenant uuid, p_least uuid, p_greatest uuid) returns uuid[]
  language plpgsql volatile set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
begin
  perform pg_advisory_xact_lock_shared(carillon.planning_key(p_tenant));
  return (select array_agg(i.id) from carillon.intents i
          where i.tenant_id = p_tenant and i.id between p_least and p_greatest and i.outcome = 'cancelled');
end
$$;

-- Marks an intent as cancelled, and tells of it. Returns how many of its notifications will not be planned now: of a request, the
-- recipients that it names (a role or group is one); of a business event, one; 0 where all is planned, or it has ended otherwise;
-- null where there is no such intent.
-- Called by: store/intents.ts, in a transaction of its own. Locks: the intent, then the tenant's plannings, as planning does.
create or replace function carillon.mark_cancelled(p_tenant uuid, p_intent uuid, p_batch uuid, p_now timestamptz) returns int
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
  it record;
  named int;
  planned int;
begin
  if p_tenant <> all (carillon.current_tenants()) then
    raise exception 'this session may not act for that tenant' using errcode = 'insufficient_privilege';
  end if;
  select i.kind, i.type, i.category, i.idempotency_key, i.correlation_id, i.traceparent, i.outcome, i.recipients into it
  from carillon.intents i where i.tenant_id = p_tenant and i.id = p_intent for update;
  if not found then
    return null;
  end if;
  if it.outcome is not null then
    return 0;
  end if;
  update carillon.intents i set outcome = 'cancelled' where i.tenant_id = p_tenant and i.id = p_intent;
  perform carillon.append_events(p_tenant, p_batch, p_now, json_build_array(json_strip_nulls(json_build_object(
    'subject_id', p_intent, 'type', 'notification.intent.cancelled', 'data', json_build_object('type', it.type, 'category', it.category,
      'reason', 'cancelled', 'idempotency_key', it.idempotency_key, 'correlation_id', it.correlation_id, 'traceparent', it.traceparent)))));
  perform pg_advisory_xact_lock(carillon.planning_key(p_tenant));
  named := case it.kind when 'direct' then it.recipients else 1 end;
  select count(*)::int into planned from carillon.notifications n
  where n.tenant_id = p_tenant and n.id > p_intent and n.id <= carillon.notification_id(p_intent, named);
  return named - planned;
end
$$;

-- Cancels what of a page of an intent's notifications has not left: deliveries that wait, are snoozed, held or to be tried again, and
-- what waits in digests. What is at a provider at this moment stays. Returns the last notification of the page (null: there are no more) and
-- how many of which nothing was or will be sent.
-- Called by: store/intents.ts, each page in a transaction of its own. Index: notifications_pkey, deliveries_pkey, digest_members_pkey.
-- Locks: digests as folding does, then notifications with fallbacks, then deliveries, in id order, as settling does.
create or replace function carillon.cancel_planned(p_tenant uuid, p_intent uuid, p_after uuid, p_limit int, p_batch uuid, p_now timestamptz,
  out last_id uuid, out stopped int)
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
as $$
declare
  about uuid[];
  until uuid;
  collecting uuid[];
  leaving uuid[];
  gone uuid[];
  ended uuid[];
  told json;
begin
  if p_tenant <> all (carillon.current_tenants()) then
    raise exception 'this session may not act for that tenant' using errcode = 'insufficient_privilege';
  end if;
  stopped := 0;
  select array_agg(p.id order by p.id) into about
  from (select n.id from carillon.notifications n
        where n.tenant_id = p_tenant and n.id > greatest(p_after, p_intent) and n.id <= carillon.last_id_of(p_intent)
        order by n.id limit p_limit) p;
  if about is null then
    return;
  end if;
  last_id := about[cardinality(about)];
  until := carillon.last_id_of(last_id);

  select array_agg(l.id) into collecting from (
    select d.id from carillon.digests d
    where d.tenant_id = p_tenant and d.state <> 'closed' and d.id = any (array(
      select n.digest_id from carillon.notifications n
      where n.tenant_id = p_tenant and n.id between about[1] and last_id and n.digest_id is not null and n.outcome is null))
    order by d.recipient_id, d.key for update) l;
  if collecting is not null then
    with left_out as (
      update carillon.notifications n set outcome = 'cancelled', reason = 'cancelled'
      where n.tenant_id = p_tenant and n.id between about[1] and last_id and n.digest_id = any (collecting) and n.outcome is null
      returning n.id
    )
    select array_agg(l.id) into leaving from left_out l;
    update carillon.digest_members m
    set notification_ids = array(select i from unnest(m.notification_ids) i where i <> all (leaving))
    where m.tenant_id = p_tenant and m.digest_id = any (collecting) and m.notification_ids && leaving and not m.notification_ids <@ leaving;
    with empty as (
      delete from carillon.digest_members m
      where m.tenant_id = p_tenant and m.digest_id = any (collecting) and m.notification_ids <@ leaving
      returning m.digest_id
    )
    update carillon.digests d set count = d.count - e.count
    from (select x.digest_id, count(*)::int as count from empty x group by x.digest_id) e
    where d.tenant_id = p_tenant and d.id = e.digest_id;
  end if;

  perform from carillon.notifications n
  where n.tenant_id = p_tenant and n.id between about[1] and last_id and n.has_fallback
  order by n.id for update;
  perform from carillon.deliveries d
  where d.tenant_id = p_tenant and d.id > about[1] and d.id <= until and d.state in ('queued', 'snoozed', 'held', 'retrying')
  order by d.id for update;
  with cancelled as (
    update carillon.deliveries d set state = 'cancelled', reason = 'cancelled', next_attempt_at = null, updated_at = p_now
    where d.tenant_id = p_tenant and d.id > about[1] and d.id <= until and d.state in ('queued', 'snoozed', 'held', 'retrying')
    returning d.id
  )
  select array_agg(c.id) into gone from cancelled c;
  select array_agg(distinct c.notification) into ended
  from (select carillon.notification_id_of(g) as notification from unnest(gone) g) c
  where not exists (
    select from carillon.deliveries d
    where d.tenant_id = p_tenant and d.id > c.notification and d.id <= carillon.last_id_of(c.notification) and d.channel <> 'audit'
      and d.state in ('sending', 'sent', 'delivered', 'bounced'));
  stopped := coalesce(cardinality(leaving), 0) + coalesce(cardinality(ended), 0);

  select json_agg(json_strip_nulls(json_build_object('subject_id', s.id,
    'type', case when s.channel is null then 'notification.cancelled' else 'notification.' || s.channel || '.cancelled' end,
    'data', json_build_object('recipient_id', n.recipient_id, 'type', n.type, 'category', n.category, 'channel', s.channel, 'reason', 'cancelled',
      'idempotency_key', i.idempotency_key, 'correlation_id', n.correlation_id, 'traceparent', n.traceparent)))
    order by s.channel is null, s.id)
  into told
  from (
    select d.id, d.channel::text as channel from carillon.deliveries d
    where d.tenant_id = p_tenant and d.id > about[1] and d.id <= until and d.id = any (gone)
    union all
    select e, null from unnest(ended || leaving) e
  ) s
  join carillon.notifications n on n.tenant_id = p_tenant and n.id between about[1] and last_id and n.id = carillon.notification_id_of(s.id)
  left join carillon.intents i on i.tenant_id = p_tenant and i.id = p_intent;
  if told is not null then
    perform carillon.append_events(p_tenant, p_batch, p_now, told);
  end if;
end
$$;
revoke execute on function carillon.mark_cancelled(uuid, uuid, uuid, timestamptz),
  carillon.cancel_planned(uuid, uuid, uuid, int, uuid, timestamptz), carillon.cancelled_intents(uuid, uuid, uuid) from public;
grant execute on function carillon.mark_cancelled(uuid, uuid, uuid, timestamptz), carillon.cancel_planned(uuid, uuid, uuid, int, uuid, timestamptz)
  to carillon_api;
grant execute on function carillon.cancelled_intents(uuid, uuid, uuid), carillon.planning_key(uuid) to carillon_worker;
