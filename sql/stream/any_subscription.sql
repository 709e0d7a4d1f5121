-- Whether any webhook endpoint of anybody's is subscribed to status events.
-- Called by: pipeline/stream/subscriptions.ts, every few seconds. Index: webhook_endpoints_subscribed, which is as large as they are many.
select exists (
  select from carillon.webhook_endpoints w where w.event_types is not null and w.disabled_at is null
) as any
