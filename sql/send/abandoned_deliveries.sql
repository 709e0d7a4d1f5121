-- Deliveries that planning claimed, whose process then did not settle them: $1 tenant, $2 ids of their intents, $3 least, $4 last
-- id of the greatest's story.
-- Called by: pipeline/send/release-abandoned.ts, when the intents' job comes again. They are claimed by the jobs that it makes.
-- Index:     deliveries_pkey, the range of the chunk. Locks: none; a claim looks again.
select d.id, d.channel::text as channel, d.priority
from carillon.deliveries d
where d.tenant_id = $1::uuid and d.id between $3::uuid and $4::uuid and carillon.intent_id_of(d.id) = any ($2::uuid[])
  and d.state = 'sending' and d.in_intents_job
order by d.id
