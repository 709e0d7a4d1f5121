-- Whether the log holds the event of a place: $1 xid, $2 the event's id. All but the last 32 bits are its batch's.
-- Called by: pipeline/stream/feed-position.ts.
-- Index:     status_log_feed of every partition, one descent each.
select exists (
  select from carillon.status_log l
  where l.xid = $1::xid8 and left(l.id::text, 28) = left($2::uuid::text, 28)
) as has
