-- A weaker identity, where a provider does not let us call pg_control_system: what a restored dump seldom gets again.
-- Called by: pipeline/stream/feed-cursor.ts.
select 'oids:' || d.oid || '/' || 'carillon.feed_cursors'::regclass::oid as identifier
from pg_database d
where d.datname = current_database()
