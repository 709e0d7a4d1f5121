-- The next batches of status events after a place in the log: $1 xid, $2 id of the last event before, $3 how many events about: whole
-- batches, the first one whatever its size.
-- Called by: pipeline/stream/read-events.ts, in the transaction in which read_horizon has set the planner.
-- Guard:     xid < xmin: no transaction that is still open can come in below what was read.
-- Index:     status_log_feed of every partition under one Merge Append. There is no lower bound on id, because none is
--            safe: a transaction's ids are made before it commits, by a clock that may be anyone's, and may commit hours
--            late. A partition with nothing above the cursor costs one index descent: 0.43 ms for 97 partitions together.
-- The columns are qualified because `order by xid` alone would mean the text in the select list.
select b.tenant_id, b.id, b.xid::text as xid, b.at, b.size, b.events
from (
  select l.tenant_id, l.id, l.xid, l.at, l.size, l.events, sum(l.size) over (order by l.xid, l.id rows unbounded preceding) - l.size as before
  from (
    select e.tenant_id, e.id, e.xid, e.at, e.size, e.events
    from carillon.status_log e
    where (e.xid, e.id) > ($1::xid8, $2::uuid) and e.xid < pg_snapshot_xmin(pg_current_snapshot())
    order by e.xid, e.id
    limit $3::int + 1
  ) l
) b
where b.before < $3::int
order by b.xid, b.id
