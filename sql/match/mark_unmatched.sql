-- Mark events that no rule wanted: $1 tenant, $2 [{id, event_id, data}], $3 least id, $4 greatest id, $5 now, $6 ids.
-- Called by: pipeline/match/match-intents.ts, in the transaction that plans the chunk.
-- Guard:     outcome is null; an intent that was marked before is left alone, and no second event is appended.
with input as materialized (
  select r.* from json_to_recordset($2::json) as r (id uuid, event_id uuid, data json)
), marked as (
  update carillon.intents i set outcome = 'unmatched'
  from input r
  where i.tenant_id = $1::uuid and i.id = any ($6::uuid[]) and i.id = r.id and i.id between $3::uuid and $4::uuid and i.outcome is null
  returning i.id
)
insert into carillon.status_events (tenant_id, subject_id, id, type, at, data)
select $1::uuid, r.id, r.event_id, 'notification.intent.unmatched', $5::timestamptz, r.data
from input r join marked m on m.id = r.id
