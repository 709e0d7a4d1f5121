-- A job as pgboss.job holds it: with the settings of its queue, none where there is no such queue. p_claimed: the caller's
-- process works it itself as soon as this commits, so it is born as fetched, with the heartbeat of now (of
-- this moment: the transaction may have waited). Its group is its tenant: see queue/dispatcher.ts.
-- For an insert's FROM, where Postgres writes it out, unless an argument is volatile.
create or replace function carillon.new_job(p_id uuid, p_queue text, p_data jsonb, p_priority int, p_start_after timestamptz, p_claimed boolean)
  returns table (id uuid, name text, group_id text, data jsonb, priority int, start_after timestamptz, keep_until timestamptz, retry_limit int,
    retry_delay int, retry_backoff boolean, retry_delay_max int, expire_seconds int, deletion_seconds int, policy text,
    dead_letter text, heartbeat_seconds int, state pgboss.job_state, started_on timestamptz, heartbeat_on timestamptz)
  language sql volatile
as $$
  select p_id, q.name, p_data ->> 'tenant_id', p_data, p_priority, at.start_after, at.start_after + q.retention_seconds * interval '1 second',
         q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.policy,
         q.dead_letter, q.heartbeat_seconds,
         case when p_claimed then 'active'::pgboss.job_state else 'created' end,
         case when p_claimed then clock_timestamp() end, case when p_claimed then clock_timestamp() end
  from (select greatest(p_start_after, now()) as start_after) at
  left join pgboss.queue q on q.name = p_queue
$$;

-- The queue of intents that are to be planned.
create or replace function carillon.intents_queue(p_priority smallint) returns text language sql immutable parallel safe
as $$ select case when p_priority = 3 then 'intents-critical' else 'intents-bulk' end $$;

-- Put jobs on pg-boss queues, in the caller's transaction.
--   p_jobs: [{"id", "queue", "data", "priority", "start_after", "claimed"}]; id null: a fresh one; start_after null: at once.
--           An unknown queue fails the statement.
-- pg-boss's own insert() does the same for one queue a call; this is one statement for many, and SQL can call it.
-- In PL/pgSQL, because it keeps its plan: Postgres before 18 plans a function in SQL again in each transaction.
create or replace function carillon.enqueue(p_jobs json) returns void
  language plpgsql volatile
as $$
begin
  insert into pgboss.job (id, name, group_id, data, priority, start_after, keep_until, retry_limit, retry_delay, retry_backoff,
                          retry_delay_max, expire_seconds, deletion_seconds, policy, dead_letter, heartbeat_seconds,
                          state, started_on, heartbeat_on)
  select b.*
  from (select coalesce(r.id, gen_random_uuid()) as id, r.queue, r.data, coalesce(r.priority, 0) as priority, r.start_after, r.claimed
        from json_to_recordset(p_jobs) as r (id uuid, queue text, data jsonb, priority int, start_after timestamptz, claimed boolean)) j
  cross join lateral carillon.new_job(j.id, j.queue, j.data, j.priority, j.start_after, j.claimed) b;
end
$$;
grant execute on function carillon.enqueue(json), carillon.new_job(uuid, text, jsonb, int, timestamptz, boolean) to carillon_worker;
