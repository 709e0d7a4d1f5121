-- Plan a chunk: $1 tenant, $2 notifications, $3 deliveries, $4 events, $5 audit lines, $6 now, $7 whether to name what was planned.
-- Called by: pipeline/plan/plan-notifications.ts, in the transaction that also enqueues the deliveries.
-- Guard:     ids follow from the intent, so a notification that is there already (a chunk planned twice, a cancellation
--            that was faster) keeps its rows, and nothing of this chunk is written for it.
-- Returns the deliveries that wait to be sent; with $7 also the notifications planned now, without a channel.
with planned as (
  insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, recipient_name, locale, timezone, type, category,
    priority, channels, has_fallback, template, event_id, correlation_id, traceparent, scheduled_at, expires_at, created_at, outcome, reason)
  select $1::uuid, r.id, r.recipient_type, r.recipient_id, r.recipient_name, r.locale, r.timezone, r.type, r.category,
    r.priority, r.channels, r.has_fallback, r.template, r.event_id, r.correlation_id, r.traceparent, r.scheduled_at, r.expires_at,
    r.created_at, r.outcome, r.reason
  from json_to_recordset($2::json) as r (id uuid, recipient_type text, recipient_id text, recipient_name text, locale text,
    timezone text, type text, category text, priority smallint, channels text[], has_fallback boolean, template text, event_id text,
    correlation_id text, traceparent text, scheduled_at timestamptz, expires_at timestamptz, created_at timestamptz,
    outcome carillon.delivery_state, reason text)
  on conflict do nothing
  returning id
), delivering as (
  insert into carillon.deliveries (tenant_id, id, channel, state, fallback_rank, priority, address, reason, sent_at, created_at, updated_at)
  select $1::uuid, r.id, r.channel, r.state, r.fallback_rank, r.priority, r.address, r.reason,
    case when r.state = 'sent' then $6::timestamptz end, $6::timestamptz, $6::timestamptz
  from json_to_recordset($3::json) as r (id uuid, notification_id uuid, channel carillon.channel, state carillon.delivery_state,
    fallback_rank smallint, priority smallint, address text, reason text)
  where r.notification_id in (select p.id from planned p)
  returning id, channel, state, priority
), told as (
  insert into carillon.status_events (tenant_id, subject_id, id, type, at, data)
  select $1::uuid, r.subject_id, r.id, r.type, $6::timestamptz, r.data
  from json_to_recordset($4::json) as r (notification_id uuid, subject_id uuid, id uuid, type text, data json)
  where r.notification_id in (select p.id from planned p)
), audited as (
  insert into carillon.audit_log (tenant_id, id, at, line)
  select $1::uuid, r.id, $6::timestamptz, r.line
  from json_to_recordset($5::json) as r (id uuid, line json)
  where r.id in (select p.id from planned p)
)
select d.id, d.channel::text as channel, d.priority
from delivering d
where d.state = 'queued'
union all
select p.id, null, null from planned p
where $7::boolean
