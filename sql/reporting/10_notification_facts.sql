-- carillon.notification_facts: one row a notification, with its status as the API says it.
-- For:    analysts (carillon_analyst) and the API. It runs with the reader's rights, so row-level security shows a reader
--         the tenants it is bound to and no other; neither addresses nor texts are in it.
-- Prunes: give bounds on id, which begins with its time: id >= carillon.first_id_at('2026-11-01').
-- The status is sql/read/notification_status.sql once more; a test keeps the two together.
create or replace view carillon.notification_facts with (security_invoker = true) as
select n.tenant_id,
       n.id,
       carillon.intent_id_of(n.id) as intent_id,
       coalesce(n.outcome::text, case
         when d.deliveries = 0 then case when n.reason = 'digest' then 'scheduled' else 'pending' end
         when d.only_audit is not null then d.only_audit
         when d.delivered then 'delivered'
         when d.sent then 'sent'
         when d.sending then 'sending'
         when d.retrying then 'retrying'
         when d.queued then 'queued'
         when d.snoozed then 'scheduled'
         when d.held then 'queued'
         when d.all_cancelled then 'cancelled'
         when d.all_suppressed then 'suppressed'
         when d.all_expired then 'expired'
         else 'failed'
       end) as status,
       n.reason,
       n.type,
       n.category,
       (array['LOW', 'NORMAL', 'HIGH', 'CRITICAL'])[n.priority + 1] as priority,
       n.channels,
       n.template,
       n.recipient_type,
       n.recipient_id,
       n.locale,
       n.timezone,
       n.event_id,
       n.correlation_id,
       n.created_at,
       n.scheduled_at,
       n.expires_at,
       d.first_sent_at,
       d.first_delivered_at,
       extract(epoch from d.first_sent_at - greatest(n.created_at, n.scheduled_at))::float8 as seconds_to_sent,
       d.deliveries
from carillon.notifications n
cross join lateral (
  select count(*) as deliveries,
         case when bool_and(d.channel = 'audit') then min(d.state::text) end as only_audit,
         coalesce(bool_or(d.state = 'delivered' and d.channel <> 'audit'), false) as delivered,
         coalesce(bool_or(d.state = 'sent' and d.channel <> 'audit'), false) as sent,
         coalesce(bool_or(d.state = 'sending' and d.channel <> 'audit'), false) as sending,
         coalesce(bool_or(d.state = 'retrying' and d.channel <> 'audit'), false) as retrying,
         coalesce(bool_or(d.state = 'queued' and d.channel <> 'audit'), false) as queued,
         coalesce(bool_or(d.state = 'snoozed' and d.channel <> 'audit'), false) as snoozed,
         coalesce(bool_or(d.state = 'held' and d.channel <> 'audit'), false) as held,
         coalesce(bool_and(d.state = 'cancelled' or d.channel = 'audit'), false) as all_cancelled,
         coalesce(bool_and(d.state = 'suppressed' or d.channel = 'audit'), false) as all_suppressed,
         coalesce(bool_and(d.state = 'expired' or d.channel = 'audit'), false) as all_expired,
         -- the audit line is written while planning, and reaches nobody
         coalesce(min(d.sent_at) filter (where d.channel <> 'audit'), min(d.sent_at)) as first_sent_at,
         min(d.delivered_at) as first_delivered_at
  from carillon.deliveries d
  where d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id)
) d;
grant select on carillon.notification_facts to carillon_analyst, carillon_api;
