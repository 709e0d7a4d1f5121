-- Release the next fallback of notifications that nothing has reached: $1 tenant, $2 ids of all their possible deliveries,
-- $3 least of them, $4 greatest, $5 now.
-- Called by: pipeline/settle/release-fallbacks.ts, in the transaction that settles the failure, with the notifications locked.
-- Where there is anything that may make it wait (quiet hours, windows, limits), it is snoozed until now: all gates are asked anew, for
-- what they said when it was planned may be hours old. Else it is queued.
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
), judged as materialized (
  select x.id, n.recipient_id,
         n.rule_id is not null
         or exists (select from carillon.limits l where l.tenant_id in ($1::uuid, '00000000-0000-0000-0000-000000000000'))
         or exists (select from carillon.preferences p
                    where p.tenant_id = $1::uuid and p.recipient_id in (n.recipient_id, '') and p.document ? 'quietHours')
         or exists (select from carillon.categories c
                    where c.tenant_id = $1::uuid and c.name = n.category and c.send_window is not null)
         or exists (select from carillon.intents i
                    where i.tenant_id = $1::uuid and i.id = carillon.intent_id_of(x.id) and i.payload -> 'schedule' is not null) as waits
  from next x
  cross join lateral (
    select o.recipient_id, o.rule_id, o.category from carillon.notifications o
    where o.tenant_id = $1::uuid and o.id = carillon.notification_id_of(x.id)
  ) n
), released as (
  update carillon.deliveries d
  set state = (case when d.id = any (array(select j.id from judged j where j.waits)) then 'snoozed' else 'queued' end)::carillon.delivery_state,
      reason = case when d.id = any (array(select j.id from judged j where j.waits)) then 'scheduled' end,
      updated_at = $5::timestamptz
  where d.tenant_id = $1::uuid and d.id = any (array(select x.id from next x)) and d.id between $3::uuid and $4::uuid and d.state = 'held'
  returning d.id, d.channel, d.priority, d.state::text as state
), waiting as (
  insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
  select $1::uuid, r.id, j.recipient_id, r.channel, r.priority, 'scheduled', $5::timestamptz, $5::timestamptz
  from released r join judged j on j.id = r.id
  where r.state = 'snoozed'
)
select r.id, r.channel::text as channel, r.priority from released r where r.state = 'queued'
