-- Accept a batch of intents in one round trip and one commit: $1 tenant ids with commas, $2 rows, $3 now, $4 key lifetime.
-- Called by: pipeline/accept/accept-intents.ts, outside any transaction: the statement is its own.
-- Guard:     set_config is local to the statement's transaction; carillon.accept_intents refuses rows of other tenants.
select a.ord, a.status, a.intent_id
from (select set_config('carillon.tenant_id', $1::text, true)) as acting
cross join lateral carillon.accept_intents($2::json, $3::timestamptz, $4::interval) as a
where acting.set_config is not null
