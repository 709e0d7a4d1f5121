-- Lock the counts of a chunk's limits and read them: $1 tenant, $2 subjects (recipients, and '' for the tenant itself), $3 whether the
-- installation's are wanted, too: subject null.
-- Called by: pipeline/permit/reserve-limits.ts, in the transaction that then writes them with write_limit_counters.sql.
-- Locks:     the rows, always in the same order: what many chunks share (the tenant's, the installation's) comes last, and is held shortest.
--            A row that is not there yet is not locked; who writes it first wins, and the other one begins again.
-- Index:     limit_counters_pkey.
with of_tenant as materialized (
  select c.subject, c.counts from carillon.limit_counters c
  where c.tenant_id = $1::uuid and c.subject = any ($2::text[])
  order by c.subject desc
  for no key update
), of_system as materialized (
  select null::text as subject, c.counts from carillon.limit_counters c
  where $3::boolean and c.tenant_id = '00000000-0000-0000-0000-000000000000' and c.subject = ''
  for no key update
)
select t.subject, t.counts from of_tenant t
union all
select s.subject, s.counts from of_system s
