-- The attempts of notifications: $1 tenant, $2 first and $3 last id of each story, $4 the least and $5 the greatest id.
-- Called by: store/delivery-attempts.ts, in a transaction that acts for the tenant.
-- Index:     delivery_attempts_pkey, one range a notification. $4 and $5 bound the partitions.
select a.delivery_id, a.attempt, a.channel, a.provider, a.outcome, a.reason, a.detail, a.provider_message_id,
       a.started_at, a.completed_at
from unnest($2::uuid[], $3::uuid[]) as story (first_id, last_id)
join carillon.delivery_attempts a
  on a.tenant_id = $1::uuid and a.delivery_id > story.first_id and a.delivery_id <= story.last_id
 and a.delivery_id between $4::uuid and $5::uuid
order by a.started_at, a.delivery_id, a.attempt
