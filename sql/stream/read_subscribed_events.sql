-- What read_status_events reads, of tenants alone whose webhook endpoints are subscribed: $1 xid, $2 id of the last event before,
-- $3 how many events about.
-- Called by: pipeline/stream/read-events.ts, in the transaction in which read_horizon has set the planner.
-- Guard:     xid < xmin, as there.
-- Index:     status_log_feed; webhook_endpoints_subscribed, one probe a batch. A batch of another tenant is never unpacked.
select b.tenant_id, b.id, b.xid::text as xid, b.at, b.size, b.events
from (
  select l.tenant_id, l.id, l.xid, l.at, l.size, l.events, sum(l.size) over (order by l.xid, l.id rows unbounded preceding) - l.size as before
  from (
    select e.tenant_id, e.id, e.xid, e.at, e.size, e.events
    from carillon.status_log e
    where (e.xid, e.id) > ($1::xid8, $2::uuid) and e.xid < pg_snapshot_xmin(pg_current_snapshot())
      and exists (
        select from carillon.webhook_endpoints w
        where w.tenant_id = e.tenant_id and w.event_types is not null and w.disabled_at is null
        limit 1)
    order by e.xid, e.id
    limit $3::int + 1
  ) l
) b
where b.before < $3::int
order by b.xid, b.id
