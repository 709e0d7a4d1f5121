-- Which of some recipients were let through, as in planned.sql: $1 tenant, $2 and $3 the bounds of the stories, then in parallel $4 intents,
-- $5 rules (null: of a request), $6 recipients. For stories that are too long to be read as a whole.
-- Called by: store/replay.ts. Index: notifications_recipient and deliveries_pkey.
select w.intent_id, n.id, n.recipient_id, n.rule_id
from unnest($4::uuid[], $5::uuid[], $6::text[]) as w (intent_id, rule_id, recipient_id)
join carillon.notifications n on n.tenant_id = $1::uuid and n.recipient_id = w.recipient_id
  and n.id > w.intent_id and n.id <= carillon.last_id_of(w.intent_id) and n.id > $2::uuid and n.id <= $3::uuid
  and n.rule_id is not distinct from w.rule_id
cross join lateral (
  select coalesce(bool_or(d.state not in ('suppressed', 'held')) filter (where d.channel <> 'audit'), count(*) > 0) as reaches
  from carillon.deliveries d
  where d.tenant_id = $1::uuid and d.id > n.id and d.id <= carillon.last_id_of(n.id) and d.id > $2::uuid and d.id <= $3::uuid
) d
where case when n.outcome is not null then n.outcome in ('sent', 'cancelled') else n.reason = 'digest' or d.reaches end
