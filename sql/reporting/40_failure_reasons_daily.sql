-- carillon.failure_reasons_daily: why deliveries did not arrive, by tenant, UTC day, channel, state and reason. What
-- still waits for its next attempt is among them, under `retrying`.
create or replace view carillon.failure_reasons_daily with (security_invoker = true) as
select f.tenant_id,
       f.day,
       f.channel,
       f.state,
       coalesce(f.reason, 'unknown') as reason,
       count(*) as deliveries
from carillon.delivery_facts f
where f.state in ('failed', 'bounced', 'expired', 'suppressed', 'cancelled', 'retrying')
group by f.tenant_id, f.day, f.channel, f.state, coalesce(f.reason, 'unknown');
grant select on carillon.failure_reasons_daily to carillon_analyst, carillon_api;
