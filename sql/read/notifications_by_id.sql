-- Notifications by id: $1 tenant, $2 ids, $3 the least and $4 the greatest of them.
-- Called by: store/notifications.ts, in a transaction that acts for the tenant.
-- Index:     notifications_pkey. $3 and $4 are there for partition pruning, which an array parameter does not give.
select n.id, n.recipient_type, n.recipient_id, n.type, n.category, n.priority, n.channels, n.template, n.event_id,
       n.correlation_id, n.traceparent, n.scheduled_at, n.expires_at, n.outcome, n.reason,
       n.rule_id, n.rule_version, n.vars
from carillon.notifications n
where n.tenant_id = $1::uuid and n.id = any ($2::uuid[]) and n.id between $3::uuid and $4::uuid
