-- Write what became of deliveries that waited: $1 tenant, $2 now, $3 ids (rising), $4 least, $5 greatest, $6 states, $7 reasons, $8 addresses,
-- $9 ends of those that wait on, $10 id of the batches, $11 [{subject_id, type, data}], $12 ids of decisions (rising) and $13 their lines, $14 all
-- snoozes that were taken.
-- Called by: pipeline/plan/settle-snoozed.ts, in the transaction that took the snoozes.
-- Guard:     state = 'snoozed'; one that was cancelled meanwhile is left alone, nothing is told of it, and its snooze goes.
-- Index:     deliveries_pkey, snoozes_pkey. Returns the ids that were written.
with input as materialized (
  select r.* from unnest($3::uuid[], $6::carillon.delivery_state[], $7::text[], $8::text[], $9::timestamptz[]) as r (id, state, reason, address, until)
), changed as (
  update carillon.deliveries d
  set state = r.state, reason = r.reason, address = r.address, updated_at = $2::timestamptz
  from input r
  where d.tenant_id = $1::uuid and d.id = any ($3::uuid[]) and d.id = r.id and d.id between $4::uuid and $5::uuid and d.state::text = 'snoozed'
  returning d.id
), gone as (
  delete from carillon.snoozes s
  where s.tenant_id = $1::uuid and s.delivery_id = any ($14::uuid[])
    and s.delivery_id not in (select r.id from input r join changed c on c.id = r.id where r.until is not null)
), moved as (
  update carillon.snoozes s
  set until = r.until, reason = r.reason
  from input r join changed c on c.id = r.id
  where s.tenant_id = $1::uuid and s.delivery_id = any ($3::uuid[]) and s.delivery_id = r.id and r.until is not null
), told as (
  insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
  select $1::uuid, $10::uuid, $2::timestamptz, count(*)::int, (array_agg(s.id order by s.id))[1], (array_agg(s.id order by s.id desc))[1],
    json_agg(e.value order by e.ordinality)
  from json_array_elements($11::json) with ordinality e
  cross join lateral (select (e.value ->> 'subject_id')::uuid as id) s
  where s.id in (select c.id from changed c)
  having count(*) > 0
), reasoned as (
  insert into carillon.decision_batches (tenant_id, id, at, size, first_id, last_id, lines)
  select $1::uuid, $10::uuid, $2::timestamptz, cardinality($12::uuid[]), ($12::uuid[])[1], ($12::uuid[])[cardinality($12::uuid[])], $13::json
  where cardinality($12::uuid[]) > 0
)
select c.id from changed c
