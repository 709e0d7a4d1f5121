-- The status of the planned notification `n`, as an expression: the twin of notificationStatus in
-- src/domain/notification-status.ts, and tested to agree with it.
-- Called by: store/notifications.ts, inside the filter by status.
-- Index:     deliveries_pkey, one range a notification.
coalesce(n.outcome::text, (
  select case
    when count(*) = 0 then 'pending'
    when bool_or(d.state = 'delivered') then 'delivered'
    when bool_or(d.state = 'sent') then 'sent'
    when bool_or(d.state = 'sending') then 'sending'
    when bool_or(d.state = 'retrying') then 'retrying'
    when bool_or(d.state in ('queued', 'held')) then 'queued'
    when bool_and(d.state = 'cancelled') then 'cancelled'
    when bool_and(d.state = 'suppressed') then 'suppressed'
    when bool_and(d.state = 'expired') then 'expired'
    else 'failed'
  end
  from carillon.deliveries d
  where d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id)
))
