-- The deliveries of notifications: $1 tenant, $2 first and $3 last id of each story, $4 the least and $5 the greatest id.
-- Called by: store/deliveries.ts, in a transaction that acts for the tenant.
-- Index:     deliveries_pkey, one range a notification. $4 and $5 bound the partitions. snoozes_pkey for what waits.
select d.id, d.channel, d.state, d.attempt, d.fallback_rank, d.reason, d.next_attempt_at, d.sent_at, d.delivered_at,
  case when d.state = 'snoozed' then
    (select z.until from carillon.snoozes z where z.tenant_id = d.tenant_id and z.delivery_id = d.id)
  end as until
from unnest($2::uuid[], $3::uuid[]) as story (first_id, last_id)
join carillon.deliveries d
  on d.tenant_id = $1::uuid and d.id > story.first_id and d.id <= story.last_id and d.id between $4::uuid and $5::uuid
order by d.id
