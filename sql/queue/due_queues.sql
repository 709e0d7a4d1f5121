-- Which of these queues have a job that is due, and in which of these lanes something was asked: $1 queues, $2 lanes, $3 of each lane
-- what was seen there before. One look for all, so that idling costs next to nothing.
-- Called by: queue/dispatcher.ts. Index: pg-boss's fetch index job_i11, one probe a name; asked_pkey.
select q.name, false as asked
from unnest($1::text[]) as q (name)
where exists (
  select from pgboss.job j
  where j.name = q.name and j.state < 'active' and not j.blocked and j.start_after <= now()
)
union all
select l.name, true
from unnest($2::text[], $3::pg_snapshot[]) as l (name, seen)
where carillon.is_asked(l.name, l.seen)
