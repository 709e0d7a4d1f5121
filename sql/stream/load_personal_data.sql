-- Whom and what deliveries say: $1 tenants and $2 ids of deliveries, $3 and $4 the least and the greatest of the ids, $5 least intent id,
-- $6 for which of them the content is wanted, $7 the most bytes of it: what is longer stays here, and is only told of.
-- Called by: pipeline/stream/personal-data.ts. Index: deliveries_pkey, notifications_pkey, intents_pkey; $3 to $5 bound the partitions.
select d.tenant_id, d.id, d.address, n.recipient_name, case when octet_length(i.content) <= $7::int then i.content end as content,
  coalesce(octet_length(i.content) > $7::int, false) as content_omitted
from unnest($1::uuid[], $2::uuid[], $6::boolean[]) as wanted (tenant_id, id, with_content)
join carillon.deliveries d on d.tenant_id = wanted.tenant_id and d.id = wanted.id and d.id between $3::uuid and $4::uuid
left join carillon.notifications n on n.tenant_id = wanted.tenant_id and n.id = carillon.notification_id_of(wanted.id)
  and n.id between $5::uuid and $4::uuid
left join lateral (
  select ((i.payload - 'recipients') #- '{email,attachments}')::text as content
  from carillon.intents i
  where wanted.with_content and i.tenant_id = wanted.tenant_id and i.id = carillon.intent_id_of(wanted.id) and i.id between $5::uuid and $4::uuid
  offset 0 -- made once, though it is looked at three times
) i on true
