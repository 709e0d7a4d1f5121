-- The status of the planned notification `n`, as an expression: the twin of notificationStatus in
-- src/domain/notification-status.ts, and tested to agree with it.
-- Called by: store/notifications.ts, inside the filter by status.
-- Index:     deliveries_pkey, one range a notification.
coalesce(n.outcome::text, (
  select case
    when count(*) = 0 then case when n.reason = 'digest' then 'scheduled' else 'pending' end
    when bool_and(d.channel = 'audit') then min(d.state::text)
    when bool_or(d.state = 'delivered' and d.channel <> 'audit') then 'delivered'
    when bool_or(d.state = 'sent' and d.channel <> 'audit') then 'sent'
    when bool_or(d.state = 'sending' and d.channel <> 'audit') then 'sending'
    when bool_or(d.state = 'retrying' and d.channel <> 'audit') then 'retrying'
    when bool_or(d.state = 'queued' and d.channel <> 'audit') then 'queued'
    when bool_or(d.state = 'snoozed' and d.channel <> 'audit') then 'scheduled'
    when bool_or(d.state = 'held' and d.channel <> 'audit') then 'queued'
    when bool_and(d.state = 'cancelled' or d.channel = 'audit') then 'cancelled'
    when bool_and(d.state = 'suppressed' or d.channel = 'audit') then 'suppressed'
    when bool_and(d.state = 'expired' or d.channel = 'audit') then 'expired'
    else 'failed'
  end
  from carillon.deliveries d
  where d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id)
))
