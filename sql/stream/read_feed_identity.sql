-- Which database this is, among all that may share a Kafka cluster: the Postgres cluster, and the database in it.
-- Called by: pipeline/stream/feed-position.ts. It names the relay's group: change it, and every position is lost.
select c.system_identifier::text || '-' || d.oid as identity
from pg_control_system() c, pg_database d
where d.datname = current_database()
