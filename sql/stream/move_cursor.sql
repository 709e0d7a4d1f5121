-- Move a lane's cursor: $1 lane, $2 $3 from (xid, id), $4 $5 to (xid, id), $6 now.
-- Called by: pipeline/stream/feed-cursor.ts, after the broker has taken the events in between.
-- Guard:     only from where the caller read it; whoever finds it elsewhere no longer leads, and changes nothing.
-- Index:     feed_cursors_pkey.
update carillon.feed_cursors c
set xid = $4::xid8, id = $5::uuid, enabled = true, updated_at = $6::timestamptz
where c.lane = $1::text and c.xid = $2::xid8 and c.id = $3::uuid
