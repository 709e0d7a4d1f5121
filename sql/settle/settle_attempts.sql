-- Settle a flush of attempts: $1 tenant, $2 rows, $3 least delivery id, $4 greatest, $5 now, $6 delivery ids, $7 events.
-- Called by: pipeline/settle/settle-attempts.ts, in the transaction that also enqueues retries and writes the inbox.
-- Guard:     state = 'sending' and attempt matches; a row that does not is a lost claim, and nothing is written for it.
-- Index:     deliveries_pkey. Locks: the rows named, in id order. Wants beginOverSets (platform/db.ts).
-- Returns the deliveries settled.
with input as materialized (
  select r.*
  from json_to_recordset($2::json) as r (delivery_id uuid, attempt smallint, state carillon.delivery_state, reason text,
    next_attempt_at timestamptz, tried boolean, channel carillon.channel, provider text, outcome text, attempt_reason text, detail text,
    provider_message_id text, possible_duplicate boolean, started_at timestamptz, completed_at timestamptz, dead boolean)
  order by r.delivery_id
), settled as (
  update carillon.deliveries d
  set state = r.state, reason = r.reason, next_attempt_at = r.next_attempt_at,
      sent_at = case when r.state = 'sent' then $5::timestamptz end,
      attempt = case when r.tried then d.attempt else d.attempt - 1 end, updated_at = $5::timestamptz
  from input r
  where d.tenant_id = $1::uuid and d.id = any ($6::uuid[]) and d.id = r.delivery_id and d.id between $3::uuid and $4::uuid
    and d.state = 'sending' and d.attempt = r.attempt
  returning d.id
), tried as (
  insert into carillon.delivery_attempts (tenant_id, delivery_id, attempt, channel, provider, outcome, reason, detail,
    provider_message_id, possible_duplicate, started_at, completed_at)
  select $1::uuid, r.delivery_id, r.attempt, r.channel, r.provider, r.outcome, r.attempt_reason, r.detail, r.provider_message_id,
    r.possible_duplicate, r.started_at, r.completed_at
  from input r join settled s on s.id = r.delivery_id
  where r.tried
), told as (
  insert into carillon.status_events (tenant_id, subject_id, id, type, at, data)
  select $1::uuid, e.delivery_id, e.id, e.type, $5::timestamptz, e.data
  from json_to_recordset($7::json) as e (delivery_id uuid, id uuid, type text, data json)
  where e.delivery_id in (select s.id from settled s)
), dead as (
  insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at)
  select $1::uuid, r.delivery_id, r.channel, r.reason, r.attempt, $5::timestamptz
  from input r join settled s on s.id = r.delivery_id
  where r.dead
  on conflict (tenant_id, delivery_id) do update
    set state = 'open', reason = excluded.reason, attempts = excluded.attempts, created_at = excluded.created_at,
        resolved_at = null, resolved_by = null
)
select s.id from settled s
