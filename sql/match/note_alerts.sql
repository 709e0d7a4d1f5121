-- Note what events say of alerts, and tell what was known of these keys before: $1 tenant, $2 now, $3 … $10 a mark for each alert:
-- inhibition, key, alert, first and last intent that says it is open, last one that says it is over, event's id, when it expires;
-- $11, $12 inhibitions and keys that are asked for; each with each is given.
-- Called by: pipeline/match/hold-back.ts, before the chunk is planned; a chunk that comes again notes the same.
-- Guard:     the greatest id of each kind wins, so the order in which chunks are processed does not matter.
-- Index:     open_alerts_pkey. Locks: the rows written, in the order of the key.
with marked as (
  insert into carillon.open_alerts as o (tenant_id, inhibition_id, key, alert, opened_by, fired_by, closed_by, event_id, opened_at,
    expires_at, noted_at)
  select $1::uuid, m.inhibition_id, m.key, m.alert, m.opened_by, m.fired_by, m.closed_by, m.event_id,
         case when m.opened_by is not null then $2::timestamptz end, m.expires_at, $2::timestamptz
  from unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::text[], $10::timestamptz[])
    as m (inhibition_id, key, alert, opened_by, fired_by, closed_by, event_id, expires_at)
  order by m.inhibition_id, m.key, m.alert
  on conflict (tenant_id, inhibition_id, key, alert) do update set
    opened_by = case when excluded.fired_by > o.closed_by and coalesce(o.fired_by < o.closed_by, true) then excluded.opened_by
                     else coalesce(o.opened_by, excluded.opened_by) end,
    opened_at = case when excluded.fired_by > o.closed_by and coalesce(o.fired_by < o.closed_by, true) then excluded.opened_at
                     else coalesce(o.opened_at, excluded.opened_at) end,
    event_id = case when excluded.fired_by > o.closed_by and coalesce(o.fired_by < o.closed_by, true) then excluded.event_id
                    else coalesce(o.event_id, excluded.event_id) end,
    fired_by = greatest(o.fired_by, excluded.fired_by),
    closed_by = greatest(o.closed_by, excluded.closed_by),
    expires_at = case when excluded.fired_by is not null then excluded.expires_at else o.expires_at end,
    noted_at = excluded.noted_at
)
-- As it was before this statement: what it notes itself, the caller has.
select o.inhibition_id, o.key, o.alert, o.opened_by, o.fired_by, o.closed_by, o.expires_at
from carillon.open_alerts o
where o.tenant_id = $1::uuid and o.inhibition_id = any ($11::uuid[]) and o.key = any ($12::text[])
