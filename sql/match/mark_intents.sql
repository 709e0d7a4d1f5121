-- Mark intents that lead to no notification: $1 tenant, $2 [{id, event_id, data}], $3 least id, $4 greatest id, $5 now, $6 ids,
-- $7 unmatched (an event that no rule wanted) or failed (it could not be processed).
-- Called by: pipeline/match/match-intents.ts, in the transaction that plans the chunk, or in one of its own.
-- Guard:     outcome is null; an intent that was marked before is left alone, and no second event is appended.
with input as materialized (
  select r.* from json_to_recordset($2::json) as r (id uuid, event_id uuid, data json)
), marked as (
  update carillon.intents i set outcome = $7::text
  from input r
  where i.tenant_id = $1::uuid and i.id = any ($6::uuid[]) and i.id = r.id and i.id between $3::uuid and $4::uuid and i.outcome is null
  returning i.id
)
insert into carillon.status_events (tenant_id, subject_id, id, type, at, data)
select $1::uuid, r.id, r.event_id, 'notification.intent.' || $7::text, $5::timestamptz, r.data
from input r join marked m on m.id = r.id
