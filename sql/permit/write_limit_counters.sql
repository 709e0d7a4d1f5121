-- Write the counts of a chunk's limits: $1 tenant, of the rows there are $2 subjects, $3 counts, $4 from when on they say nothing; $5 … $8
-- the same with their tenants for the rows there are not; $9 the installation's counts and $10 the same of them, null where they are
-- not changed or not there yet; $11 events to tell the tenant of, or null; $12 now.
-- Called by: pipeline/permit/reserve-limits.ts, in the transaction that has locked the rows with lock_limit_counters.sql.
-- Guard:     returns how many of the rows that were not there it has made. Where it is not all of them somebody else was faster,
--            and the caller rolls back and begins again; it does not wait for such a row's lock, so nobody waits in a circle.
-- Commit:    nobody waits for the disk while the rows are locked: what is then planned is committed behind it in the same log, so a
--            count is lost in a crash only together with the plan that it was for. A warning is told of, and waits.
-- Index:     limit_counters_pkey. Wants a connection of the flow pool (platform/db.ts): without nested loops.
with known as (
  update carillon.limit_counters c set counts = u.counts, idle_at = u.idle_at
  from unnest($2::text[], $3::text[], $4::timestamptz[]) as u (subject, counts, idle_at)
  where c.tenant_id = $1::uuid and c.subject = any ($2::text[]) and c.subject = u.subject
), of_system as (
  update carillon.limit_counters c set counts = $9::text, idle_at = $10::timestamptz
  where $10::timestamptz is not null and c.tenant_id = '00000000-0000-0000-0000-000000000000' and c.subject = ''
), made as (
  insert into carillon.limit_counters (tenant_id, subject, counts, idle_at)
  select u.tenant_id, u.subject, u.counts, u.idle_at
  from unnest($5::uuid[], $6::text[], $7::text[], $8::timestamptz[]) as u (tenant_id, subject, counts, idle_at)
  order by u.subject desc, u.tenant_id desc
  on conflict do nothing
  returning 1
), told as materialized (
  select carillon.append_events($1::uuid, carillon.new_intent_id($12::timestamptz), $12::timestamptz, $11::json)
  where $11::json is not null
)
select (select count(*)::int from made) as made, (select count(*)::int from told) as told,
       case when $11::json is null then set_config('synchronous_commit', 'off', true) end as unhurried
