-- carillon.delivery_stats_daily: deliveries by tenant, UTC day, channel and outcome, with how long they took to be sent.
-- See 10_notification_facts.sql for whom and how; bounds on the day do not prune here, so ask for few days of much data
-- by delivery_facts, whose id prunes.
create or replace view carillon.delivery_stats_daily with (security_invoker = true) as
select f.tenant_id,
       f.day,
       f.channel,
       f.state as outcome,
       count(*) as deliveries,
       sum(greatest(f.attempts - 1, 0)) as retries,
       percentile_cont(0.5) within group (order by f.seconds_to_sent) as p50_seconds_to_sent,
       percentile_cont(0.95) within group (order by f.seconds_to_sent) as p95_seconds_to_sent
from carillon.delivery_facts f
group by f.tenant_id, f.day, f.channel, f.state;
grant select on carillon.delivery_stats_daily to carillon_analyst, carillon_api;
