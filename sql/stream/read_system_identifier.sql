-- Which database cluster this is: stays through restarts and failovers, differs after initdb, a restored dump, pg_upgrade.
-- Called by: pipeline/stream/feed-cursor.ts.
select system_identifier::text as identifier from pg_control_system()
