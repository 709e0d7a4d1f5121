-- Put settled in-app deliveries into their inboxes: $1 tenant, $2 items, $3 now.
-- Called by: pipeline/settle/record-inbox.ts, in the transaction that settles them.
-- Guard:     an item that is there already counts no second time. Locks: the counters, in order of recipient.
with added as (
  insert into carillon.inbox_items (tenant_id, recipient_id, id, type, title, body, body_html, data, created_at)
  select $1::uuid, r.recipient_id, r.id, r.type, r.title, r.body, r.body_html, r.data, $3::timestamptz
  from json_to_recordset($2::json) as r (recipient_id text, id uuid, type text, title text, body text, body_html text, data jsonb)
  on conflict do nothing
  returning recipient_id
)
insert into carillon.inbox_counters as c (tenant_id, recipient_id, unread, unseen)
select $1::uuid, a.recipient_id, count(*), count(*)
from added a
group by a.recipient_id
order by a.recipient_id
on conflict (tenant_id, recipient_id) do update set unread = c.unread + excluded.unread, unseen = c.unseen + excluded.unseen
