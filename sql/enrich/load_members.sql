-- One page of the members of a role or group: $1 tenant, $2 'role' or 'group', $3 its name, $4 after this external id, $5 how many.
-- Called by: pipeline/enrich/resolve-recipients.ts. Index: recipients_pkey in order, or the gin index of the set.
select r.external_id
from carillon.recipients r
where r.tenant_id = $1::uuid
  and case $2::text when 'role' then r.roles else r.groups end @> array[$3::text]
  and r.external_id > $4::text
order by r.external_id
limit $5::int
