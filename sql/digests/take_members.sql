-- Take all members of digests away: $1 tenants and $2 ids of digests; and look at those of groups: $3 tenants, $4 ids.
-- Called by: store/closing-digests.ts, in the transaction that has taken them by take_due, which ends in finish.
-- Index:     digest_members_pkey. Locks: what is taken; nobody else touches the members of a digest that he has not locked.
with taken as (
  delete from carillon.digest_members m
  where m.tenant_id = any ($1::uuid[]) and m.digest_id = any ($2::uuid[])
  returning m.*
)
select t.tenant_id, t.digest_id, t.event_ref, t.notification_ids, t.item, t.said, t.at, t.resolved, t.flushed_at from taken t
union all
select m.tenant_id, m.digest_id, m.event_ref, m.notification_ids, m.item, m.said, m.at, m.resolved, m.flushed_at
from carillon.digest_members m
where m.tenant_id = any ($3::uuid[]) and m.digest_id = any ($4::uuid[])
