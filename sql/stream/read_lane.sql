-- Where a lane of the feed stands, and how far back the log goes: $1 lane. One row; without a lane its columns are null.
-- Called by: pipeline/stream/read-lane.ts. Changes nothing.
select c.xid::text as xid, c.id, c.enabled, c.system_identifier,
       (select to_date(right(min(t.relname::text), 8), 'YYYYMMDD')::text
        from pg_inherits i join pg_class t on t.oid = i.inhrelid
        where i.inhparent = 'carillon.status_log'::regclass) as first_day
from (select) one
left join carillon.feed_cursors c on c.lane = $1::text
