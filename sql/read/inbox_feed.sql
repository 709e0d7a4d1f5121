-- What came into an inbox after a place, in the order of the feed: $1 tenant, $2 recipient, $3 xid and $4 id of the place,
-- $5 a horizon that was read before, $6 limit.
-- Called by: store/inbox-items.ts, in a transaction that acts for the tenant.
-- Guard:     only what is older than every transaction that was open at the horizon, so that nothing can turn up behind
--            the place later.
-- Index:     inbox_items_pkey by tenant and recipient: one inbox, over the days that are kept.
select i.id, i.xid
from carillon.inbox_items i
where i.tenant_id = $1::uuid and i.recipient_id = $2::text
  and (i.xid, i.id) > ($3::xid8, $4::uuid) and i.xid < $5::xid8
order by i.xid, i.id
limit $6::int
