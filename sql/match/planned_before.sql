-- Which of these notifications are there: $1 tenant, $2 ids, $3 least, $4 greatest.
-- Called by: pipeline/match/planned-before.ts, for a chunk that comes again. Index: notifications_pkey, of the partitions between $3 and $4.
select n.id
from carillon.notifications n
where n.tenant_id = $1::uuid and n.id = any ($2::uuid[]) and n.id between $3::uuid and $4::uuid
