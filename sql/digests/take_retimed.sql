-- Take digests whose recipients have changed their zone or their preferences: $1 how many at most.
-- Called by: store/retimed-digests.ts, in the transaction that then sets their moments.
-- Index:     digests_retime. Locks: the digests; those that another has are passed over, and found the next time.
select d.tenant_id, d.id, d.recipient_id, d.recipient, d.key, d.kind, d.policy, d.opened_at, d.closes_at, d.longest_at, d.close_reason, d.state,
       case when r.external_id is null then d.timezone else coalesce(d.recipient ->> 'timezone', r.timezone) end as timezone,
       m.notification_id, m.event_ref, m.item, m.said, m.at
from carillon.digests d
left join carillon.recipients r on r.tenant_id = d.tenant_id and r.external_id = d.recipient_id
left join lateral (
  select m.notification_ids[cardinality(m.notification_ids)] as notification_id, m.event_ref, m.item, m.said, m.at
  from carillon.digest_members m
  where m.tenant_id = d.tenant_id and m.digest_id = d.id
  order by m.at desc limit 1
) m on true
where d.retime
order by d.tenant_id, d.id limit $1::int
for update of d skip locked
