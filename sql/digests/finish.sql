-- Finish what take_due and take_members have begun: $1 now, $2 [{tenant_id, id, state, close_reason, closes_at, flushed_at, count, folded,
-- intent_id}] the digests, $3 [{tenant_id, digest_id, event_ref}] members of groups that were told of and burn on, $4 the same of
-- those that are over, $5 [{tenant_id, id, outcome, reason}] notifications that were members, $6 tenants and $7 ids of the digests,
-- $8 ids of the notifications, $9 the least and $10 the greatest, $11 [{tenant_id, id, events: [{subject_id, type, data}]}] a batch for
-- each tenant.
-- Called by: store/closing-digests.ts. Index: digests_pkey, digest_members_pkey, notifications_pkey, by $6 to $10: the flow's
--   connections join by hash.
-- Guard:     the digests are not closed; a notification that has an outcome keeps it, and no event of $10 is told of it.
with finished as (
  update carillon.digests d
  set state = r.state, close_reason = r.close_reason, closes_at = coalesce(r.closes_at, d.closes_at),
      closed_at = case when r.state = 'closed' then $1::timestamptz end, flushed_at = coalesce(r.flushed_at, d.flushed_at),
      count = coalesce(r.count, d.count), folded = coalesce(r.folded, d.folded), intent_id = coalesce(r.intent_id, d.intent_id), retime = false
  from json_to_recordset($2::json) as r (tenant_id uuid, id uuid, state text, close_reason text, closes_at timestamptz, flushed_at timestamptz,
    count int, folded int, intent_id uuid)
  where d.tenant_id = r.tenant_id and d.id = r.id and d.state <> 'closed'
    and d.tenant_id = any ($6::uuid[]) and d.id = any ($7::uuid[])
), told as (
  update carillon.digest_members m
  set flushed_at = $1::timestamptz, notification_ids = m.notification_ids[cardinality(m.notification_ids):]
  from json_to_recordset($3::json) as r (tenant_id uuid, digest_id uuid, event_ref text)
  where m.tenant_id = r.tenant_id and m.digest_id = r.digest_id and m.event_ref = r.event_ref
    and m.tenant_id = any ($6::uuid[]) and m.digest_id = any ($7::uuid[])
), over as (
  delete from carillon.digest_members m
  using json_to_recordset($4::json) as r (tenant_id uuid, digest_id uuid, event_ref text)
  where m.tenant_id = r.tenant_id and m.digest_id = r.digest_id and m.event_ref = r.event_ref
    and m.tenant_id = any ($6::uuid[]) and m.digest_id = any ($7::uuid[])
), ended as (
  update carillon.notifications n set outcome = r.outcome, reason = r.reason
  from json_to_recordset($5::json) as r (tenant_id uuid, id uuid, outcome carillon.delivery_state, reason text)
  where n.tenant_id = r.tenant_id and n.id = r.id and n.outcome is null
    and n.tenant_id = any ($6::uuid[]) and n.id = any ($8::uuid[]) and n.id between $9::uuid and $10::uuid
  returning n.id
)
select carillon.append_events(b.tenant_id, b.id, $1::timestamptz, (
  select coalesce(json_agg(json_strip_nulls(e.value) order by e.ordinality), '[]')
  from json_array_elements(b.events) with ordinality e
  where e.value ->> 'type' = 'notification.digest.closed' or (e.value ->> 'subject_id')::uuid in (select x.id from ended x)
))
from json_to_recordset($11::json) as b (tenant_id uuid, id uuid, events json)
