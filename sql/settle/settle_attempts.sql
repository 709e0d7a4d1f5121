-- Settle a flush of attempts: $1 tenant, $2 now, $3 delivery ids in order, $4 least, $5 greatest, $6 … $20 the other columns, $21 id of the
-- batch of events, $22 [{subject_id, type, data}], $23 how many they are.
-- Called by: pipeline/settle/settle-attempts.ts, by itself, or in the transaction that also enqueues retries and writes the inbox.
-- Guard:     state = 'sending' and attempt matches; a row that does not is a lost claim, and nothing is written for it.
-- Index:     deliveries_pkey. Locks: the rows named. Wants a connection of the flow pool (platform/db.ts): without nested loops.
-- Returns how many were settled, and which, where it is not all of them.
with input as materialized (
  select r.*
  from unnest($3::uuid[], $6::smallint[], $7::carillon.delivery_state[], $8::text[], $9::timestamptz[], $10::boolean[], $11::carillon.channel[],
    $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::boolean[], $18::timestamptz[], $19::timestamptz[], $20::boolean[])
    as r (delivery_id, attempt, state, reason, next_attempt_at, tried, channel, provider, outcome, attempt_reason, detail,
      provider_message_id, possible_duplicate, started_at, completed_at, dead)
), settled as (
  update carillon.deliveries d
  set state = r.state, reason = r.reason, next_attempt_at = r.next_attempt_at,
      sent_at = case when r.state = 'sent' then $2::timestamptz end,
      attempt = case when r.tried then d.attempt else d.attempt - 1 end, updated_at = $2::timestamptz
  from input r
  where d.tenant_id = $1::uuid and d.id = any ($3::uuid[]) and d.id = r.delivery_id and d.id between $4::uuid and $5::uuid
    and d.state = 'sending' and d.attempt = r.attempt
  returning d.id
), whole as (
  select (select count(*) from settled) = cardinality($3::uuid[]) as is_held
), tried as (
  insert into carillon.delivery_attempts (tenant_id, delivery_id, attempt, channel, provider, outcome, reason, detail,
    provider_message_id, possible_duplicate, started_at, completed_at)
  select $1::uuid, r.delivery_id, r.attempt, r.channel, r.provider, r.outcome, r.attempt_reason, r.detail, r.provider_message_id,
    r.possible_duplicate, r.started_at, r.completed_at
  from input r
  where r.tried and ((select w.is_held from whole w) or r.delivery_id in (select s.id from settled s))
), dead as (
  insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at)
  select $1::uuid, r.delivery_id, r.channel, r.reason, r.attempt, $2::timestamptz
  from input r
  where r.dead and ((select w.is_held from whole w) or r.delivery_id in (select s.id from settled s))
  on conflict (tenant_id, delivery_id) do update
    set state = 'open', reason = excluded.reason, attempts = excluded.attempts, created_at = excluded.created_at,
        resolved_at = null, resolved_by = null
), told as (
  insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
  select $1::uuid, $21::uuid, $2::timestamptz, t.size, $4::uuid, $5::uuid, t.events
  from (
    select $23::int as size, $22::json as events where (select w.is_held from whole w)
    union all
    select count(*)::int, json_agg(e.value order by e.ordinality) from json_array_elements($22::json) with ordinality e
    where not (select w.is_held from whole w) and (e.value ->> 'subject_id')::uuid in (select s.id from settled s)
  ) t
  where t.size > 0
)
select (select count(*)::int from settled) as settled,
       (select array_agg(s.id) from settled s where not (select w.is_held from whole w)) as only_ids
