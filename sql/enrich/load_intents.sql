-- The intents of a chunk, but for those that have ended (cancelled, unmatched, failed): $1 tenant, $2 ids, $3 least id, $4 greatest id.
-- Called by: pipeline/enrich/load-intents.ts. Index: intents_pkey, of the partitions between $3 and $4.
select i.id, i.kind, i.type, i.priority, i.category, i.event_id, i.idempotency_key, i.correlation_id, i.traceparent, i.scheduled_at,
       i.expires_at, i.accepted_at, i.payload
from carillon.intents i
where i.tenant_id = $1::uuid and i.id = any ($2::uuid[]) and i.id between $3::uuid and $4::uuid and i.outcome is null
order by i.id
