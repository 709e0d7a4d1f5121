-- People with all that the gates ask of, as of one moment: one row of JSON arrays, which is half the work of as many rows.
-- $1 tenant, $2 external ids, $3 ids made of addresses (nobody's record, but they may have said something), $4 categories whose
-- consents are needed, $5 now, $6 and $7 channels and addresses that the requests give.
-- Suppressions are of those addresses, of the people's own, and of those they prefer; they are compared by address_key.
-- Called by: pipeline/enrich/load-people.ts. Index: the primary keys of recipients, contact_points, preferences, consents,
-- suppressions, each walked once with all keys.
with point as materialized (
  select p.recipient_id, p.channel, p.address, p.position
  from carillon.contact_points p
  where p.tenant_id = $1::uuid and p.recipient_id = any ($2::text[]) and p.invalid_at is null
), said as materialized (
  select s.recipient_id, s.version, s.document
  from carillon.preferences s
  where s.tenant_id = $1::uuid and s.recipient_id = any ($2::text[] || $3::text[])
), candidate as materialized (
  select p.channel, p.address, carillon.address_key(p.channel, p.address) as key
  from point p
  union all
  select i.channel, i.address, carillon.address_key(i.channel, i.address)
  from unnest($6::carillon.channel[], $7::text[]) i (channel, address)
  union all
  select c.key::carillon.channel, c.value ->> 'address', carillon.address_key(c.key::carillon.channel, c.value ->> 'address')
  from said s, jsonb_each(s.document -> 'channels') c
  where c.value ? 'address'
), suppressed as materialized (
  select s.channel, s.address, s.reason, s.source, s.created_at, s.expires_at
  from carillon.suppressions s
  where s.tenant_id = $1::uuid and s.channel = any (array(select distinct c.channel from candidate c))
    and s.address = any (array(select c.key from candidate c))
    and (s.expires_at is null or s.expires_at > $5::timestamptz)
)
select
  (select json_agg(json_build_array(r.external_id, r.name, r.locale, r.timezone, r.enabled, r.roles, r.groups, r.attributes))
   from carillon.recipients r
   where r.tenant_id = $1::uuid and r.external_id = any ($2::text[])) as recipients,
  (select json_agg(json_build_array(p.recipient_id, p.channel, p.address, p.position)) from point p) as points,
  (select json_agg(json_build_array(s.recipient_id, s.version, s.document)) from said s) as preferences,
  (select json_agg(json_build_array(c.recipient_id, c.category, c.granted, c.at, c.source, c.wording_version))
   from (
     select distinct on (c.recipient_id, c.category)
            c.recipient_id, c.category, c.granted, c.at, c.source, c.wording_version
     from carillon.consents c
     where c.tenant_id = $1::uuid and c.recipient_id = any ($2::text[] || $3::text[]) and c.category = any ($4::text[])
     order by c.recipient_id, c.category, c.at desc
   ) c) as consents,
  (select json_agg(json_build_array(c.channel, c.address, s.reason, s.source, s.created_at, s.expires_at))
   from suppressed s
   join candidate c on c.channel = s.channel and c.key = s.address) as suppressions
