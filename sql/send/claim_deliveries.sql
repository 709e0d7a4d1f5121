-- Claim a chunk for sending: $1 tenant, $2 delivery ids, $3 least id, $4 greatest id, $5 now, where the job was claimed before $6 the
-- greatest attempt that may be its first worker's, $7 whether it is of what a job of intents left behind (send/abandoned_deliveries.sql).
-- Called by: pipeline/send/claim-deliveries.ts, as a transaction of its own: the claim is on disk before the network is used.
-- Guard:     only queued and retrying deliveries; a job that comes again also takes over what its first worker left in
--            'sending', but no later attempt, which is in the hands of a job of its own; it writes that attempt down as unknown, and marks the new one as a possible duplicate. With $7 it takes over
--            what no job of deliveries has claimed yet, and nothing else.
-- Index:     deliveries_pkey, delivery_attempts_pkey. Locks: the rows claimed, in id order. It waits for them, no longer than
--            lock_timeout: a row passed over would be lost with its job, were its lock's holder to roll back.
with due as materialized (
  select d.id, d.state, d.attempt, d.channel, d.updated_at
  from carillon.deliveries d
  where d.tenant_id = $1::uuid and d.id = any ($2::uuid[]) and d.id between $3::uuid and $4::uuid
    and (d.state in ('queued', 'retrying') or d.state = 'sending' and (d.attempt <= $6::int or $7::boolean and d.in_intents_job))
  order by d.id
  for update
), lost as (
  insert into carillon.delivery_attempts (tenant_id, delivery_id, attempt, channel, provider, outcome, reason, detail, possible_duplicate, started_at)
  select $1::uuid, u.id, u.attempt, u.channel, 'unknown', 'unknown', 'transient', 'the worker was lost before it could say', false, u.updated_at
  from due u where u.state = 'sending'
  on conflict do nothing
)
-- By an array, not by a join: without statistics the planner would compare every row with every other.
update carillon.deliveries d
set state = 'sending', attempt = d.attempt + 1, next_attempt_at = null, updated_at = $5::timestamptz, in_intents_job = null,
    reason = case when d.state = 'sending' or d.attempt > 0 and exists (
      select from carillon.delivery_attempts a
      where a.tenant_id = $1::uuid and a.delivery_id = d.id and a.delivery_id between $3::uuid and $4::uuid and a.outcome = 'unknown'
    ) then 'possible_duplicate' end
where d.tenant_id = $1::uuid and d.id = any (array(select u.id from due u)) and d.id between $3::uuid and $4::uuid
returning d.id, d.channel::text as channel, d.attempt, d.address, d.priority, d.reason is not null as possible_duplicate
