-- Known recipients with their first usable address on each channel: $1 tenant, $2 external ids.
-- Called by: pipeline/enrich/resolve-recipients.ts. Index: recipients_pkey, contact_points_pkey.
select r.external_id, r.name, r.locale, r.timezone,
       coalesce((
         select json_object_agg(c.channel, c.address)
         from (
           select distinct on (p.channel) p.channel, p.address
           from carillon.contact_points p
           where p.tenant_id = $1::uuid and p.recipient_id = r.external_id and p.invalid_at is null
           order by p.channel, p.position, p.created_at
         ) c
       ), '{}') as addresses
from carillon.recipients r
where r.tenant_id = $1::uuid and r.external_id = any ($2::text[])
