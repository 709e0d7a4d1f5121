-- Park messages that cannot become intents: $1 cluster, $2 group, $3 topic, $4 partition, $5 resets, $6 now, then one array a
-- column: $7 ids, $8 offsets, $9 times, $10 keys, $11 headers (a JSON array of them all), $12 values, $13 reasons, $14 details.
-- Called by: pipeline/accept/accept-page.ts, in the transaction that moves the partition's position past them.
-- Guard:     parked_once; with the guarded position it cannot be met, and meeting it is a fault of ours.
insert into carillon.parked_messages
  (id, cluster_id, group_id, topic, partition, "offset", resets, message_at, key, headers, value, reason, detail, parked_at)
select m.id, $1::text, $2::text, $3::text, $4::int, m."offset", $5::int, m.at, m.key, m.headers, m.value, m.reason, m.detail, $6::timestamptz
from rows from (
  unnest($7::uuid[]), unnest($8::bigint[]), unnest($9::timestamptz[]), unnest($10::bytea[]), jsonb_array_elements($11::jsonb),
  unnest($12::bytea[]), unnest($13::text[]), unnest($14::text[])
) as m (id, "offset", at, key, headers, value, reason, detail)
