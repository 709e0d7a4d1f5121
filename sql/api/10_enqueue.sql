-- Put jobs on pg-boss queues, in the caller's transaction.
--   p_jobs: [{"queue", "data", "priority", "start_after"}]; start_after null: at once. An unknown queue fails the statement.
-- pg-boss's own insert() does the same for one queue a call; this is one statement for many, and SQL can call it.
create or replace function carillon.enqueue(p_jobs json) returns void
  language sql volatile
as $$
  insert into pgboss.job (name, data, priority, start_after, keep_until, retry_limit, retry_delay, retry_backoff,
                          retry_delay_max, expire_seconds, deletion_seconds, policy, dead_letter, heartbeat_seconds)
  select q.name, j.data, coalesce(j.priority, 0), at.start_after, at.start_after + q.retention_seconds * interval '1 second',
         q.retry_limit, q.retry_delay, q.retry_backoff, q.retry_delay_max, q.expire_seconds, q.deletion_seconds, q.policy,
         q.dead_letter, q.heartbeat_seconds
  from json_to_recordset(p_jobs) as j (queue text, data jsonb, priority int, start_after timestamptz)
  left join pgboss.queue q on q.name = j.queue
  cross join lateral (select greatest(coalesce(j.start_after, now()), now()) as start_after) at
$$;
grant execute on function carillon.enqueue(json) to carillon_worker;
