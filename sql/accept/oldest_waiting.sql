-- How long the oldest chunk of intents that could be planned at once has waited, or what was asked in SQL and is in no chunk yet,
-- in seconds: $1 the queues' names. Null: none waits.
-- Called by: pipeline/accept/backlog.ts. Index: pg-boss's fetch index job_i11, one probe a queue and priority, and asked_pkey; chunks that were
-- put there for later, and come before it, are passed over.
select extract(epoch from now() - least(min(first.created_on), carillon.oldest_asked()))::float8 as seconds
from unnest($1::text[]) as q (name)
cross join generate_series(0, 3) as p (priority)
cross join lateral (
  select j.created_on
  from pgboss.job j
  where j.name = q.name and j.state < 'active' and not j.blocked and j.priority = p.priority
    and j.start_after <= j.created_on + interval '1 second'
  order by j.created_on
  limit 1
) first
