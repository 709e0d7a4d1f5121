-- A page of what was accepted in a period, in the order of its ids: $1 tenant, $2 the id behind which it goes on, $3 the first id behind the
-- period, $4 since, $5 until, $6 whether business events alone, $7 limit.
-- What the service made itself is not among it: digests that were closed, and status webhooks.
-- Called by: store/replay.ts. Index: intents_pkey, of the partitions between $2 and $3.
select i.id, i.kind, i.type, i.priority, i.category, i.event_id, i.idempotency_key, i.correlation_id, i.traceparent, i.scheduled_at,
       i.expires_at, i.accepted_at, i.payload
from carillon.intents i
where i.tenant_id = $1::uuid and i.id > $2::uuid and i.id < $3::uuid
  and i.accepted_at >= $4::timestamptz and i.accepted_at < $5::timestamptz
  and (i.kind = 'event' or not $6::boolean)
  and not i.payload ?| '{digest,statusEvent}'
order by i.id
limit $7::int
