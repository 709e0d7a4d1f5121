-- Take what carillon.notify has asked for in a lane, as jobs: $1 lane, $2 what was seen before, $3 now, $4 intents at most, $5 intents in a
-- job at most, $6 for how many there is room in this process, $7 tenants that have no more. See sql/api/15_take_asked.sql.
-- Called by: queue/asked.ts, outside any transaction: the statement is its own.
select t.claimed, t.others_due, t.seen
from carillon.take_asked($1::text, $2::pg_snapshot, $3::timestamptz, $4::int, $5::int, $6::int, $7::uuid[]) t
