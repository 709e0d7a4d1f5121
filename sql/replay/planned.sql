-- The notifications of some intents that were let through, at once or for later, whatever became of them at a provider: $1 tenant,
-- $2 intents, $3 and $4 the bounds of their stories, $5 of this rule alone (null: of all and of none), $6 how many of an intent are named.
-- `total` is how many the intent has. What was never wanted on another channel than the audit line counts by that.
-- Called by: store/replay.ts. Index: notifications_pkey and deliveries_pkey, a range a story.
with let_through as materialized (
  select carillon.intent_id_of(n.id) as intent_id, n.id, n.recipient_id, n.rule_id
  from carillon.notifications n
  cross join lateral (
    select coalesce(bool_or(d.state not in ('suppressed', 'held')) filter (where d.channel <> 'audit'), count(*) > 0) as reaches
    from carillon.deliveries d
    where d.tenant_id = $1::uuid and d.id > n.id and d.id <= carillon.last_id_of(n.id) and d.id > $3::uuid and d.id <= $4::uuid
  ) d
  where n.tenant_id = $1::uuid and n.id > $3::uuid and n.id <= $4::uuid
    and carillon.intent_id_of(n.id) = any ($2::uuid[])
    and ($5::uuid is null or n.rule_id = $5::uuid)
    and case when n.outcome is not null then n.outcome in ('sent', 'cancelled') else n.reason = 'digest' or d.reaches end
), counted as (
  select l.*, row_number() over (partition by l.intent_id order by l.id) as place, count(*) over (partition by l.intent_id) as total
  from let_through l
)
select c.intent_id, c.id, c.recipient_id, c.rule_id, c.total::int from counted c where c.place <= $6::int order by c.id
