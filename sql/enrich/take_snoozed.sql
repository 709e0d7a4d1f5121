-- Take deliveries whose wait is over, to be decided again: $1 now, $2 how many at most.
-- Called by: pipeline/enrich/take-snoozed.ts, in the transaction that writes what becomes of them. Index: snoozes_until.
-- Locks:     the snoozes taken; what another process has taken is passed over, and is its to end or to leave.
-- Of a delivery that was cancelled meanwhile the state says so; of one that is past its retention there is none. Not for a flow pool:
-- the story of each is found by its id.
with due as materialized (
  select s.tenant_id, s.delivery_id, s.recipient_id, s.since, s.reason
  from carillon.snoozes s
  where s.until <= $1::timestamptz
  order by s.until
  limit $2::int
  for update skip locked
)
select u.tenant_id, u.delivery_id as id, u.reason, d.state::text as state, d.channel::text as channel, d.address, d.fallback_rank, d.priority,
       n.recipient_type, n.recipient_id, n.recipient_name, n.locale, n.timezone, n.type, n.category, n.template, n.rule_id, n.rule_version,
       n.has_fallback, n.expires_at, n.scheduled_at, i.accepted_at, n.correlation_id, n.traceparent, i.idempotency_key, i.event_id, i.kind, i.payload
from due u
left join lateral (
  select d.state, d.channel, d.address, d.fallback_rank, d.priority from carillon.deliveries d
  where d.tenant_id = u.tenant_id and d.id = u.delivery_id
) d on true
left join lateral (
  select n.* from carillon.notifications n where n.tenant_id = u.tenant_id and n.id = carillon.notification_id_of(u.delivery_id)
) n on true
left join lateral (
  select i.idempotency_key, i.event_id, i.kind, i.accepted_at, i.payload from carillon.intents i
  where i.tenant_id = u.tenant_id and i.id = carillon.intent_id_of(u.delivery_id)
) i on true
order by u.tenant_id, u.delivery_id
