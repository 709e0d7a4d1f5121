-- People with all that the gates ask of, over a span of time: what has a history comes with all of it that held in the span, what has
-- none (records, addresses) as it is now. The twin of enrich/load_people.sql.
-- $1 tenant, $2 external ids, $3 ids made of addresses, $4 categories whose consents are needed, $5 from, $6 to, $7 and $8 channels and
-- addresses that the requests give.
-- Called by: pipeline/enrich/people-then.ts. Index: the primary keys of recipients, contact_points, preference_versions, preferences,
-- consents, suppressions.
with point as materialized (
  select p.recipient_id, p.channel, p.address, p.position
  from carillon.contact_points p
  where p.tenant_id = $1::uuid and p.recipient_id = any ($2::text[]) and p.invalid_at is null
), said as materialized (
  select v.recipient_id, v.version, v.document, v.valid_from, v.valid_to
  from carillon.preference_versions v
  where v.tenant_id = $1::uuid and v.recipient_id = any ($2::text[] || $3::text[])
    and v.valid_from <= $6::timestamptz and (v.valid_to is null or v.valid_to > $5::timestamptz)
), candidate as materialized (
  select p.channel, p.address, carillon.address_key(p.channel, p.address) as key
  from point p
  union all
  select i.channel, i.address, carillon.address_key(i.channel, i.address)
  from unnest($7::carillon.channel[], $8::text[]) i (channel, address)
  union all
  select c.key::carillon.channel, c.value ->> 'address', carillon.address_key(c.key::carillon.channel, c.value ->> 'address')
  from said s, jsonb_each(s.document -> 'channels') c
  where c.value ? 'address'
)
select
  (select json_agg(json_build_array(r.external_id, r.name, r.locale, r.timezone, r.enabled, r.roles, r.groups, r.attributes))
   from carillon.recipients r
   where r.tenant_id = $1::uuid and r.external_id = any ($2::text[])) as recipients,
  (select json_agg(json_build_array(p.recipient_id, p.channel, p.address, p.position)) from point p) as points,
  (select json_agg(json_build_array(s.recipient_id, s.version, s.document, s.valid_from, s.valid_to)) from said s) as preferences,
  (select json_agg(json_build_array(p.recipient_id, p.document ->> 'timezone', p.document ->> 'locale'))
   from carillon.preferences p
   where p.tenant_id = $1::uuid and p.recipient_id = any ($2::text[]) and p.document ?| '{timezone,locale}') as zones,
  (select json_agg(json_build_array(c.recipient_id, c.category, c.granted, c.at, c.source, c.wording_version) order by c.at)
   from (
     select c.recipient_id, c.category, c.granted, c.at, c.source, c.wording_version
     from carillon.consents c
     where c.tenant_id = $1::uuid and c.recipient_id = any ($2::text[] || $3::text[]) and c.category = any ($4::text[])
       and c.at > $5::timestamptz and c.at <= $6::timestamptz
     union all
     (select distinct on (c.recipient_id, c.category)
             c.recipient_id, c.category, c.granted, c.at, c.source, c.wording_version
      from carillon.consents c
      where c.tenant_id = $1::uuid and c.recipient_id = any ($2::text[] || $3::text[]) and c.category = any ($4::text[])
        and c.at <= $5::timestamptz
      order by c.recipient_id, c.category, c.at desc)
   ) c) as consents,
  (select json_agg(json_build_array(c.channel, c.address, s.reason, s.source, s.created_at, s.expires_at))
   from carillon.suppressions s
   join (select distinct c.channel, c.address, c.key from candidate c) c on c.channel = s.channel and c.key = s.address
   where s.tenant_id = $1::uuid and s.channel = any (array(select distinct c.channel from candidate c))
     and s.address = any (array(select c.key from candidate c))
     and s.created_at <= $6::timestamptz and (s.expires_at is null or s.expires_at > $5::timestamptz)) as suppressions
