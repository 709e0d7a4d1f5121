-- Note how the calls of subscribed webhook endpoints ended: $1 tenants, $2 ids, $3 last successes, $4 first and $5 last failures, $6 what the
-- last failure said, $7 now, $8 for how long an endpoint may fail.
-- Called by: pipeline/settle/endpoint-health.ts, every few seconds. Index: webhook_endpoints_pkey. Locks: the rows named, in order.
-- Guard:     only subscribed ones are switched off, and those that are on already stay as they are.
-- Returns those that it switched off.
with noted as materialized (
  select w.tenant_id, w.id, r.success, r.failure, r.said,
         case when r.failure is null or greatest(r.success, w.last_success_at) > r.failure then null
              when greatest(r.success, w.last_success_at) > r.first_failure then r.failure
              else coalesce(w.failing_since, r.first_failure) end as failing_since
  from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[])
    as r (tenant_id, id, success, first_failure, failure, said)
  join carillon.webhook_endpoints w on w.tenant_id = r.tenant_id and w.id = r.id
  order by w.tenant_id, w.id
  for update of w
), switched as (
  select n.tenant_id, n.id, n.failing_since < $7::timestamptz - $8::interval as off from noted n
)
update carillon.webhook_endpoints w
set last_success_at = greatest(w.last_success_at, n.success),
    last_failure_at = greatest(w.last_failure_at, n.failure),
    last_failure = coalesce(n.said, w.last_failure),
    failing_since = n.failing_since,
    disabled_at = case when s.off and w.event_types is not null then coalesce(w.disabled_at, $7::timestamptz) else w.disabled_at end,
    disabled_reason = case when s.off and w.event_types is not null then coalesce(w.disabled_reason, 'failing') else w.disabled_reason end
from noted n join switched s on s.tenant_id = n.tenant_id and s.id = n.id
where w.tenant_id = n.tenant_id and w.id = n.id
returning w.id, w.disabled_at = $7::timestamptz and w.disabled_reason = 'failing' as switched_off
