-- The batches of a period after a place in the log: $1 xid, $2 id of the last event before, $3 how many events about (whole batches, the
-- first one whatever its size), $4 $5 the least id of the period and the first after it, $6 tenant or null.
-- Called by: pipeline/stream/read-period.ts, in the transaction in which read_horizon has set the planner.
-- Guard:     xid < xmin: no transaction that is still open can come in below what was read.
-- Index:     status_log_feed of the period's partitions alone, under one Merge Append; the bounds on id are looked at in the
--            index as well, so the rest of a day costs its index entries.
select b.tenant_id, b.id, b.xid::text as xid, b.at, b.size, b.events
from (
  select l.tenant_id, l.id, l.xid, l.at, l.size, l.events, sum(l.size) over (order by l.xid, l.id rows unbounded preceding) - l.size as before
  from (
    select e.tenant_id, e.id, e.xid, e.at, e.size, e.events
    from carillon.status_log e
    where (e.xid, e.id) > ($1::xid8, $2::uuid) and e.xid < pg_snapshot_xmin(pg_current_snapshot())
      and e.id >= $4::uuid and e.id < $5::uuid
      and ($6::uuid is null or e.tenant_id = $6::uuid)
    order by e.xid, e.id
    limit $3::int + 1
  ) l
) b
where b.before < $3::int
order by b.xid, b.id
