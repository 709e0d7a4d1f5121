-- Plan a chunk, in one statement and one commit: $1 tenant, $2 now, $3 … $22 columns of notifications, $23 … $29 of deliveries,
-- $30 id of the batches of events and of audit lines, $31 [{subject_id, type, data}], $32 ids (rising) and $33 lines for the audit
-- log, $34 jobs (see carillon.enqueue) or null, $35 $36 least and greatest subject of the events, $37 how many they are,
-- $38 whether what is claimed here ('sending') has no job but its intents': see send/abandoned_deliveries.sql,
-- $39 $40 $41 rules, their versions and the variables of templates, columns of notifications as $3 …, $42 ids (rising) and $43 lines of the
-- decisions that gates had a part in, or null, $44 $45 $46 ids, ends and recipients of the snoozed deliveries, $47 $48 least and greatest intent.
-- Called by: pipeline/plan/plan-notifications.ts.
-- Guard:     ids follow from the intent, so a notification that is there already (a chunk planned twice, a cancellation
--            that was faster) keeps its rows, and nothing of this chunk is written for it. A job may name its deliveries
--            all the same: claiming passes over what is not there or is not waiting.
--            What is told of an intent belongs to its first notification: whoever plans that one tells it, so it is told once.
--            Of an intent that was cancelled nothing is written; until this has committed none is marked so.
-- Returns how many notifications were planned now, and which, where it is not all of them.
with cancelled as materialized (
  select carillon.cancelled_intents($1::uuid, $47::uuid, $48::uuid) as ids
), planned as (
  insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, recipient_name, locale, timezone, type, category,
    priority, channels, has_fallback, template, event_id, correlation_id, traceparent, scheduled_at, expires_at, created_at, outcome, reason,
    rule_id, rule_version, vars)
  select $1::uuid, r.id, r.recipient_type, r.recipient_id, r.recipient_name, r.locale, r.timezone, r.type, r.category,
    r.priority, string_to_array(r.channels, ','), r.has_fallback, r.template, r.event_id, r.correlation_id, r.traceparent, r.scheduled_at,
    r.expires_at, r.created_at, r.outcome, r.reason, r.rule_id, r.rule_version, r.vars
  from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::smallint[], $12::text[],
    $13::boolean[], $14::text[], $15::text[], $16::text[], $17::text[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[],
    $21::carillon.delivery_state[], $22::text[], $39::uuid[], $40::int[], $41::jsonb[])
    as r (id, recipient_type, recipient_id, recipient_name, locale, timezone, type, category, priority, channels, has_fallback, template,
      event_id, correlation_id, traceparent, scheduled_at, expires_at, created_at, outcome, reason, rule_id, rule_version, vars)
  where (select c.ids is null from cancelled c) or carillon.intent_id_of(r.id) <> all ((select c.ids from cancelled c)::uuid[])
  on conflict do nothing
  returning id
), whole as (
  select (select count(*) from planned) = cardinality($3::uuid[]) as is_new
), delivering as (
  insert into carillon.deliveries (tenant_id, id, channel, state, attempt, fallback_rank, priority, address, reason, sent_at, created_at, updated_at,
    in_intents_job)
  select $1::uuid, r.id, r.channel, r.state, case when r.state = 'sending' then 1 else 0 end, r.fallback_rank, r.priority, r.address, r.reason,
    case when r.state = 'sent' then $2::timestamptz end, $2::timestamptz, $2::timestamptz,
    case when r.state = 'sending' and $38::boolean then true end
  from unnest($23::uuid[], $24::carillon.channel[], $25::carillon.delivery_state[], $26::smallint[], $27::smallint[], $28::text[], $29::text[])
    as r (id, channel, state, fallback_rank, priority, address, reason)
  where (select w.is_new from whole w) or carillon.notification_id_of(r.id) in (select p.id from planned p)
), waiting as (
  insert into carillon.snoozes (tenant_id, delivery_id, recipient_id, channel, priority, reason, until, since)
  select $1::uuid, d.id, s.recipient_id, d.channel, d.priority, d.reason, s.until, $2::timestamptz
  from unnest($44::uuid[], $45::timestamptz[], $46::text[]) as s (id, until, recipient_id)
  join unnest($23::uuid[], $24::carillon.channel[], $27::smallint[], $29::text[]) as d (id, channel, priority, reason) on d.id = s.id
  where (select w.is_new from whole w) or carillon.notification_id_of(d.id) in (select p.id from planned p)
), reasoned as (
  insert into carillon.decision_batches (tenant_id, id, at, size, first_id, last_id, lines)
  select $1::uuid, $30::uuid, $2::timestamptz, a.size, a.ids[1], a.ids[cardinality(a.ids)], a.lines
  from (
    select cardinality($42::uuid[]) as size, $42::uuid[] as ids, $43::json as lines where (select w.is_new from whole w)
    union all
    select count(*)::int, array_agg(r.id order by r.id), json_agg(r.line order by r.ordinality)
    from rows from (unnest($42::uuid[]), json_array_elements($43::json)) with ordinality as r (id, line, ordinality)
    where not (select w.is_new from whole w) and r.id in (select p.id from planned p)
  ) a
  where a.size > 0
), told as (
  insert into carillon.status_log (tenant_id, id, at, size, first_subject, last_subject, events)
  select $1::uuid, $30::uuid, $2::timestamptz, t.size, $35::uuid, $36::uuid, t.events
  from (
    select $37::int as size, $31::json as events where (select w.is_new from whole w)
    union all
    select count(*)::int, json_agg(e.value order by e.ordinality) from json_array_elements($31::json) with ordinality e
    cross join lateral (select (e.value ->> 'subject_id')::uuid as id) s
    where not (select w.is_new from whole w)
      and case when s.id = carillon.intent_id_of(s.id) then carillon.notification_id(s.id, 1) else carillon.notification_id_of(s.id) end
          in (select p.id from planned p)
  ) t
  where t.size > 0
), audited as (
  insert into carillon.audit_batches (tenant_id, id, at, size, first_id, last_id, lines)
  select $1::uuid, $30::uuid, $2::timestamptz, a.size, a.ids[1], a.ids[cardinality(a.ids)], a.lines
  from (
    select cardinality($32::uuid[]) as size, $32::uuid[] as ids, $33::json as lines where (select w.is_new from whole w)
    union all
    select count(*)::int, array_agg(r.id order by r.id), json_agg(r.line order by r.ordinality)
    from rows from (unnest($32::uuid[]), json_array_elements($33::json)) with ordinality as r (id, line, ordinality)
    where not (select w.is_new from whole w) and r.id in (select p.id from planned p)
  ) a
  where a.size > 0
)
select (select count(*)::int from planned) as planned,
       (select array_agg(p.id) from planned p where not (select w.is_new from whole w)) as only_ids,
       case when $34::json is not null and (select count(*) from planned) > 0 then carillon.enqueue($34::json) end as enqueued
