-- The notifications of some intents that were let through, at once or for later, whatever became of them at a provider: $1 tenant,
-- $2 intents, $3 the id behind which it goes on and $4 the last one of their stories, $5 of this rule alone (null: of all and of none),
-- $6 how many of an intent are named, $7 how many notifications are looked at. Each intent's `total` is of those; the first row
-- tells how many were looked at, and the last of them, also where there is nothing else to tell.
-- What was never wanted on another channel than the audit line counts by that.
-- Called by: store/replay.ts. Index: notifications_pkey and deliveries_pkey, a range a story.
with story as materialized (
  select n.id, n.recipient_id, n.rule_id, n.outcome, n.reason
  from carillon.notifications n
  where n.tenant_id = $1::uuid and n.id > $3::uuid and n.id <= $4::uuid
    and carillon.intent_id_of(n.id) = any ($2::uuid[])
    and ($5::uuid is null or n.rule_id = $5::uuid)
  order by n.id
  limit $7::int
), let_through as (
  select carillon.intent_id_of(s.id) as intent_id, s.id, s.recipient_id, s.rule_id
  from story s
  cross join lateral (
    select coalesce(bool_or(d.state not in ('suppressed', 'held')) filter (where d.channel <> 'audit'), count(*) > 0) as reaches
    from carillon.deliveries d
    where d.tenant_id = $1::uuid and d.id > s.id and d.id <= carillon.last_id_of(s.id) and d.id > $3::uuid and d.id <= $4::uuid
  ) d
  where case when s.outcome is not null then s.outcome in ('sent', 'cancelled') else s.reason = 'digest' or d.reaches end
), counted as (
  select l.*, row_number() over (partition by l.intent_id order by l.id) as place, count(*) over (partition by l.intent_id) as total
  from let_through l
)
select looked.count::int as looked, looked.last, c.intent_id, c.id, c.recipient_id, c.rule_id, c.total::int
from (select count(*), (array_agg(s.id order by s.id desc))[1] as last from story s) looked
left join counted c on c.place <= $6::int
order by c.id
