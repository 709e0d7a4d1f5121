-- Switch a lane off: $1 lane, $2 now. Retention no longer waits for it; its place is kept.
-- Called by: pipeline/stream/feed-cursor.ts.
update carillon.feed_cursors c
set enabled = false, updated_at = $2::timestamptz
where c.lane = $1::text and c.enabled
