-- carillon.delivery_facts: one row a delivery, with what it took. See 10_notification_facts.sql for whom and how.
create or replace view carillon.delivery_facts with (security_invoker = true) as
select d.tenant_id,
       d.id,
       carillon.notification_id_of(d.id) as notification_id,
       d.channel::text as channel,
       d.state::text as state,
       d.reason,
       d.attempt as attempts,
       d.fallback_rank,
       (array['LOW', 'NORMAL', 'HIGH', 'CRITICAL'])[d.priority + 1] as priority,
       (d.created_at at time zone 'UTC')::date as day,
       d.created_at,
       d.updated_at,
       d.next_attempt_at,
       d.sent_at,
       d.delivered_at,
       extract(epoch from d.sent_at - d.created_at)::float8 as seconds_to_sent,
       extract(epoch from d.delivered_at - d.sent_at)::float8 as seconds_to_delivered
from carillon.deliveries d;
grant select on carillon.delivery_facts to carillon_analyst, carillon_api;
