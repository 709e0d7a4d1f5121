-- Move a partition's position on: $1 cluster, $2 group, $3 topic, $4 partition, $5 resets, $6 from, $7 to, $8 now.
-- Called by: pipeline/accept/accept-page.ts, first in the transaction that accepts what lies between.
-- Guard:     the position and its resets are what the caller knows; no row: another process has moved it, write nothing.
-- Index:     bridge_offsets_pkey. Locks: the row, until the end of the transaction, so a second caller waits and then finds it moved.
update carillon.bridge_offsets o
set next_offset = $7::bigint, updated_at = $8::timestamptz
where o.cluster_id = $1::text and o.group_id = $2::text and o.topic = $3::text and o.partition = $4::int
  and o.resets = $5::int and o.next_offset = $6::bigint
returning o.next_offset
