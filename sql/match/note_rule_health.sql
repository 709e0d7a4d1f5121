-- Note how the expressions of rules did, and switch off those that fail again and again. One row of each array is one rule:
-- $1 tenants, $2 rules, $3 their versions, $4 faults since it last did well, $5 all faults, $6 whether its pattern gave an answer,
-- $7 whether it matched with all that it says; of its last fault: $8 when, $9 code, $10 part, $11 message, $12 intent.
-- $13 now, $14 with how many faults in a row a rule is switched off.
-- Called by: pipeline/match/rule-health.ts, every few seconds. Index: rule_faults_pkey, rules_pkey. Locks: the rows named; see lock_rules.sql.
-- Guard:     what is said of another version than the present one is dropped, and a rule that is off stays as it is.
-- Returns the rules that it switched off.
with given as materialized (
  select g.* from unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::boolean[], $7::boolean[], $8::timestamptz[],
    $9::text[], $10::text[], $11::text[], $12::uuid[])
    as g (tenant_id, rule_id, version, streak, total, answered, whole, at, code, part, message, intent_id)
  join carillon.rules r on r.tenant_id = g.tenant_id and r.id = g.rule_id and r.version = g.version
  where r.tenant_id = any ($1::uuid[]) and r.id = any ($2::uuid[])
), known as materialized (
  select f.tenant_id, f.rule_id, f.last_part from carillon.rule_faults f join given g on g.tenant_id = f.tenant_id and g.rule_id = f.rule_id
  where f.tenant_id = any ($1::uuid[]) and f.rule_id = any ($2::uuid[])
  order by f.tenant_id, f.rule_id
  for update of f
), changed as (
  update carillon.rule_faults f
  set streak = case when g.whole or g.answered and k.last_part = 'eventPattern' then 0 else f.streak end + g.streak,
      total = f.total + g.total,
      last_at = coalesce(g.at, f.last_at), last_code = coalesce(g.code, f.last_code), last_part = coalesce(g.part, f.last_part),
      last_message = coalesce(g.message, f.last_message), last_intent_id = coalesce(g.intent_id, f.last_intent_id)
  from given g join known k on k.tenant_id = g.tenant_id and k.rule_id = g.rule_id
  where f.tenant_id = g.tenant_id and f.rule_id = g.rule_id and f.tenant_id = any ($1::uuid[]) and f.rule_id = any ($2::uuid[])
    and (g.total > 0 or f.streak > 0)
  returning f.tenant_id, f.rule_id, f.streak
), created as (
  insert into carillon.rule_faults as f (tenant_id, rule_id, streak, total, last_at, last_code, last_part, last_message, last_intent_id)
  select g.tenant_id, g.rule_id, g.streak, g.total, g.at, g.code, g.part, g.message, g.intent_id
  from given g
  where g.total > 0 and not exists (select from known k where k.tenant_id = g.tenant_id and k.rule_id = g.rule_id)
  order by g.tenant_id, g.rule_id
  on conflict (tenant_id, rule_id) do update
    set streak = f.streak + excluded.streak, total = f.total + excluded.total, last_at = excluded.last_at,
        last_code = excluded.last_code, last_part = excluded.last_part, last_message = excluded.last_message,
        last_intent_id = excluded.last_intent_id
  returning f.tenant_id, f.rule_id, f.streak
), failing as (
  select c.tenant_id, c.rule_id from (select * from changed union all select * from created) c where c.streak >= $14::int
), off as (
  update carillon.rules r
  set enabled = false, disabled_reason = 'failing', version = r.version + 1, updated_at = greatest(r.updated_at, $13::timestamptz),
      updated_by = 'carillon'
  from failing n join given g on g.tenant_id = n.tenant_id and g.rule_id = n.rule_id
  where r.tenant_id = n.tenant_id and r.id = n.rule_id and r.tenant_id = any ($1::uuid[]) and r.id = any ($2::uuid[])
    and r.version = g.version and r.enabled
  returning r.tenant_id, r.id, r.name, r.version, r.definition, r.updated_at, g.code, g.part
), ended as (
  update carillon.rule_versions v set valid_to = o.updated_at
  from off o
  where v.tenant_id = o.tenant_id and v.rule_id = o.id and v.version = o.version - 1
    and v.tenant_id = any ($1::uuid[]) and v.rule_id = any ($2::uuid[])
), begun as (
  insert into carillon.rule_versions (tenant_id, rule_id, version, name, definition, enabled, valid_from, changed_by)
  select o.tenant_id, o.id, o.version, o.name, o.definition, false, o.updated_at, 'carillon' from off o
)
select o.tenant_id, o.id, o.name, o.version - 1 as version, o.code, o.part from off o
