-- The inbox items of notifications: $1 tenant, $2 recipients, $3 first and $4 last id of each story, $5 the least and $6
-- the greatest id.
-- Called by: store/inbox-items.ts, in a transaction that acts for the tenant.
-- Index:     inbox_items_pkey, one range a notification. $5 and $6 bound the partitions.
select i.id, i.xid, i.recipient_id, i.title, i.body, i.body_html, i.seen_at, i.read_at, i.archived_at
from unnest($2::text[], $3::uuid[], $4::uuid[]) as story (recipient_id, first_id, last_id)
join carillon.inbox_items i
  on i.tenant_id = $1::uuid and i.recipient_id = story.recipient_id
 and i.id >= story.first_id and i.id <= story.last_id and i.id between $5::uuid and $6::uuid
