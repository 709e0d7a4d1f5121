-- The subscribed webhook endpoints of tenants: $1 tenants.
-- Called by: pipeline/stream/subscriptions.ts, after the events were read: an endpoint that was there when one was committed is
--            among them. Index: webhook_endpoints_subscribed.
select w.tenant_id, w.id, w.event_types, w.since::text as since
from carillon.webhook_endpoints w
where w.tenant_id = any ($1::uuid[]) and w.event_types is not null and w.disabled_at is null
order by w.tenant_id, w.id
