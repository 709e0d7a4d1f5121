-- Accept a batch of intents in one round trip and one commit: $1 tenant ids with commas, $2 now, $3 key lifetime, $4 whether this
-- process plans them itself, $5 … $19 the columns, $20 payloads, $21 events. See sql/api/20_accept_intents.sql.
-- Called by: pipeline/accept/accept-intents.ts, by itself or in a transaction of the caller (the bridge).
-- Guard:     set_config is local to the statement's transaction; carillon.accept_intents refuses rows of other tenants.
select a.ord, a.status, a.intent_id
from (select set_config('carillon.tenant_id', $1::text, true)) as acting
cross join lateral carillon.accept_intents($2::timestamptz, $3::interval, $4::boolean, $5::uuid[], $6::uuid[], $7::text[], $8::text[],
  $9::smallint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[],
  $18::int[], $19::uuid[], $20::jsonb, $21::json) as a
where acting.set_config is not null
