-- Lock notifications before looking at their deliveries: $1 tenant, $2 ids, $3 least id, $4 greatest.
-- Called by: pipeline/settle/release-fallbacks.ts. A statement of its own, so that the next one sees what the last holder did.
select n.id from carillon.notifications n
where n.tenant_id = $1::uuid and n.id = any ($2::uuid[]) and n.id between $3::uuid and $4::uuid
order by n.id
for update
