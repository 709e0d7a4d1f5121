-- Release the next fallback of notifications that nothing has reached: $1 tenant, $2 ids of all their possible deliveries,
-- $3 least of them, $4 greatest, $5 now.
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
  set state = 'queued', updated_at = $5::timestamptz
  where d.tenant_id = $1::uuid and d.id = any (array(select x.id from next x)) and d.id between $3::uuid and $4::uuid and d.state = 'held'
  returning d.id, d.channel::text as channel, d.priority
)
select r.id, r.channel, r.priority from released r
