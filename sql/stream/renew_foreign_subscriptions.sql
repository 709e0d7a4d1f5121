-- Subscriptions that began in a later state of the database than this one (a dump of it, restored elsewhere) begin now: transaction
-- numbers of theirs mean nothing here.
-- Called by: pipeline/stream/webhook-cursor.ts, before the lane is opened. In its own database it finds none.
update carillon.webhook_endpoints w
set since = pg_current_snapshot()
where w.event_types is not null and pg_snapshot_xmax(w.since) > pg_snapshot_xmax(pg_current_snapshot())
