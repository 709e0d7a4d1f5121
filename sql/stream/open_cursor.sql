-- Take up a lane where it stands, or begin it at the log's beginning: $1 lane, $2 system identifier, $3 now.
-- Called by: pipeline/stream/feed-cursor.ts. From here on retention keeps what the lane has not passed on.
-- Guard:     a cursor of another database is left alone, and no row comes back.
insert into carillon.feed_cursors as c (lane, system_identifier, xid, id, enabled, updated_at)
values ($1::text, $2::text, '0', '00000000-0000-0000-0000-000000000000', true, $3::timestamptz)
on conflict (lane) do update set enabled = true
where c.system_identifier = excluded.system_identifier
returning c.xid::text as xid, c.id
