-- Mark intents that lead to no notification: $1 tenant, $2 [{subject_id, type, data}] the events, $3 least id, $4 greatest id, $5 now,
-- $6 ids, $7 unmatched (an event that no rule wanted), no_recipients (its rules name nobody) or failed (it could not be processed), $8 id of the batch of events.
-- Called by: pipeline/match/match-intents.ts, in the transaction that plans the chunk, or in one of its own.
-- Guard:     outcome is null; an intent that was marked before is left alone, and no second event is appended.
with marked as (
  update carillon.intents i set outcome = $7::text
  where i.tenant_id = $1::uuid and i.id = any ($6::uuid[]) and i.id between $3::uuid and $4::uuid and i.outcome is null
  returning i.id, i.type, i.category, i.idempotency_key, i.correlation_id, i.traceparent
)
select carillon.append_events($1::uuid, $8::uuid, $5::timestamptz, (
  select coalesce(json_agg(json_build_object('subject_id', m.id, 'type', e.value ->> 'type', 'data', jsonb_strip_nulls(jsonb_build_object(
           'type', m.type, 'category', m.category, 'idempotency_key', m.idempotency_key, 'correlation_id', m.correlation_id,
           'traceparent', m.traceparent) || (e.value -> 'data')::jsonb)) order by e.ordinality), '[]')
  from json_array_elements($2::json) with ordinality e
  join marked m on m.id = (e.value ->> 'subject_id')::uuid
))
