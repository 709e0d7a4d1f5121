-- Which of these intents are status webhooks themselves: $1 tenants and $2 ids, pair by pair.
-- Called by: pipeline/stream/subscriptions.ts. Index: intents_pkey, of the partitions that the ids name.
select r.id
from unnest($1::uuid[], $2::uuid[]) as r (tenant_id, id)
join carillon.intents i on i.tenant_id = r.tenant_id and i.id = r.id
where i.source = 'system' and i.payload ? 'statusEvent'
