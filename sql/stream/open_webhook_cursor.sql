-- Take up the lane of status webhooks: $1 lane, $2 system identifier, $3 now. Where it stands if it is on; if it was off, where the
-- first subscription began that is there now, and never before its own place.
-- Called by: pipeline/stream/webhook-cursor.ts. From here on retention keeps what the lane has not passed on.
-- Guard:     a cursor of another database is left alone, and no row comes back.
insert into carillon.feed_cursors as c (lane, system_identifier, xid, id, enabled, updated_at)
select $1::text, $2::text,
       coalesce((
         select pg_snapshot_xmin(w.since) from carillon.webhook_endpoints w
         where w.event_types is not null and w.disabled_at is null
         order by pg_snapshot_xmin(w.since) limit 1
       ), pg_snapshot_xmin(pg_current_snapshot())),
       '00000000-0000-0000-0000-000000000000', true, $3::timestamptz
on conflict (lane) do update
  set enabled = true,
      xid = case when c.enabled then c.xid else greatest(c.xid, excluded.xid) end,
      id = case when not c.enabled and excluded.xid > c.xid then excluded.id else c.id end
where c.system_identifier = excluded.system_identifier
returning c.xid::text as xid, c.id
