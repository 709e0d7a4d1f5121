-- Intents by id, with what was said in them: $1 tenant, $2 ids, $3 the least and $4 the greatest of them.
-- Called by: store/intents.ts, in a transaction that acts for the tenant.
-- Index:     intents_pkey. $3 and $4 are there for partition pruning, which an array parameter does not give.
select i.id, i.kind, i.type, i.priority, i.category, i.event_id, i.idempotency_key, i.correlation_id, i.traceparent, i.scheduled_at,
       i.expires_at, i.outcome, i.payload
from carillon.intents i
where i.tenant_id = $1::uuid and i.id = any ($2::uuid[]) and i.id between $3::uuid and $4::uuid
