-- The same, where a provider does not let us call pg_control_system. Two servers may give out the same oids, but hardly ran
-- their first migration in the same millisecond.
-- Called by: pipeline/stream/feed-position.ts.
select 'oids-' || d.oid || '-' || 'carillon.feed_cursors'::regclass::oid || '-'
  || (select left(md5(min(m."timestamp")), 12) from carillon.migrations m) as identity
from pg_database d
where d.datname = current_database()
