-- Put jobs on pg-boss queues, in the caller's transaction.
--   p_jobs: [{"id", "queue", "data", "priority", "start_after", "claimed"}]; id null: a fresh one; start_after null: at once;
--           claimed: the caller's process works it itself as soon as this commits, so it is born as fetched, with the
--           heartbeat of now. An unknown queue fails the statement.
-- A job's group is its tenant: see queue/dispatcher.ts. pg-boss's own insert() does the same for one queue a call; this is one statement for many, and SQL can call it.
create or replace function carillon.enqueue(p_jobs json) returns void
  language sql volatile
as $$
  insert into pgboss.job (id, name, group_id, data, priority, start_after, keep_until, retry_limit, retry_delay, retry_backoff,
                          retry_delay_max, expire_seconds, deletion_seconds, policy, dead_letter, heartbeat_seconds,
                          state, started_on, heartbeat_on)
  select coalesce(j.id, gen_random_uuid()), q.name, j.data ->> 'tenant_id', j.data, coalesce(j.priority, 0), at.start_after,
         at.start_after + q.retention_seconds * interval '1 second',
         q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.policy,
         q.dead_letter, q.heartbeat_seconds,
         case when j.claimed then 'active' else 'created' end::pgboss.job_state, case when j.claimed then now() end, case when j.claimed then now() end
  from json_to_recordset(p_jobs) as j (id uuid, queue text, data jsonb, priority int, start_after timestamptz, claimed boolean)
  left join pgboss.queue q on q.name = j.queue
  cross join lateral (select greatest(coalesce(j.start_after, now()), now()) as start_after) at
$$;
grant execute on function carillon.enqueue(json) to carillon_worker;
