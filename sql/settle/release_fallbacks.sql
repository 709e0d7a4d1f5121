-- Release the next fallback of notifications that nothing has reached: $1 tenant, $2 ids of all their possible deliveries,
-- $3 least of them, $4 greatest, $5 now.
-- Its time is another one than when it was planned, so the gates are asked again: it is snoozed until now, and whoever decides
-- again what has waited takes it at once. CRITICAL goes straight to its queue.
-- Called by: pipeline/settle/release-fallbacks.ts, in the transaction that settles the failure, with the notifications locked.
-- Guard:     no sibling is under way or done; an audit line reaches nobody and does not count. Index: deliveries_pkey.
with siblings as materialized (
  select d.id, left(d.id::text, 34) as notification, d.channel, d.state, d.fallback_rank
  from carillon.deliveries d
  where d.tenant_id = $1::uuid and d.id = any ($2::uuid[]) and d.id between $3::uuid and $4::uuid
), next as (
  select distinct on (s.notification) s.id
  from siblings s
  where s.state = 'held'
    and not exists (select from siblings o where o.notification = s.notification and o.channel <> 'audit'
                    and o.state in ('queued', 'snoozed', 'sending', 'retrying', 'sent', 'delivered'))
  order by s.notification, s.fallback_rank
), released as (
  update carillon.deliveries d
  set state = case when d.priority = 3 then 'queued' else 'snoozed' end::carillon.delivery_state, updated_at = $5::timestamptz
  where d.tenant_id = $1::uuid and d.id = any (array(select x.id from next x)) and d.id between $3::uuid and $4::uuid and d.state = 'held'
  returning d.id, d.channel, d.priority, d.state
), waiting as (
  insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
  select $1::uuid, r.id, n.recipient_id, r.channel, r.priority, 'fallback', $5::timestamptz, $5::timestamptz
  from released r
  join carillon.notifications n on n.tenant_id = $1::uuid and n.id = carillon.notification_id_of(r.id)
    and n.id = any (array(select carillon.notification_id_of(x.id) from next x)) and n.id between carillon.notification_id_of($3::uuid) and $4::uuid
  where r.state = 'snoozed'
)
select r.id, r.channel::text as channel, r.priority from released r where r.state = 'queued'
