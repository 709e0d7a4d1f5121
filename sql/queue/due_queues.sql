-- Which of these queues have a job that is due: $1 names. One look for all queues, so that idling costs next to nothing.
-- Called by: queue/dispatcher.ts. Index: pg-boss's fetch index job_i11, one probe a name.
select q.name
from unnest($1::text[]) as q (name)
where exists (
  select from pgboss.job j
  where j.name = q.name and j.state < 'active' and not j.blocked and j.start_after <= now()
)
