-- Rules of whose health there is something to note: $1 tenants, $2 ids, $3 how many faults they had. Those without any count only where
-- there are faults in a row to be forgotten. What is written of them until the transaction ends sees their newest version.
-- Called by: pipeline/match/rule-health.ts, every few seconds. Index: rules_pkey, rule_faults_pkey. Locks: the rows given, in order. The arrays stand beside
-- the joins because an index is found by them where nested loops are off.
select r.id
from unnest($1::uuid[], $2::uuid[], $3::int[]) as g (tenant_id, rule_id, total)
join carillon.rules r on r.tenant_id = g.tenant_id and r.id = g.rule_id
left join carillon.rule_faults f on f.tenant_id = g.tenant_id and f.rule_id = g.rule_id
  and f.tenant_id = any ($1::uuid[]) and f.rule_id = any ($2::uuid[])
where r.tenant_id = any ($1::uuid[]) and r.id = any ($2::uuid[]) and (g.total > 0 or f.streak > 0)
order by r.tenant_id, r.id
for update of r
