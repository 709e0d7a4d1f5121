-- carillon.upsert_recipient: keep a recipient beside your own user, in your own transaction.
--
--   select carillon.upsert_recipient(
--     'user-42',                                          -- external_id: your id; required
--     name           => 'Ann Bell',
--     locale         => 'de',                             -- BCP 47
--     timezone       => 'Europe/Berlin',                  -- IANA
--     roles          => '{customer,beta}',
--     groups         => '{berlin}',
--     attributes     => '{"tier": "gold"}',
--     contact_points => '{"email": "ann@example.com", "sms": ["+4930123", "+4930124"]}',
--     enabled        => true);
--
-- What is left out (or null) stays as it is; '' clears name, locale, timezone; '{}' clears roles, groups, attributes, contact_points.
-- contact_points: all there shall be, the preferred one of a channel first; an object of channels with an address or a list of them,
-- or an array of {"channel", "address", "device_id", "verified"}. Returns whether the recipient is new.
-- tenant: only for a login bound to several. Errors: 22023 with COLUMN naming the argument; 42501 where the login may not.
create or replace function carillon.upsert_recipient(
  external_id text,
  name text default null,
  locale text default null,
  timezone text default null,
  roles text[] default null,
  groups text[] default null,
  attributes jsonb default null,
  contact_points jsonb default null,
  enabled boolean default null,
  tenant uuid default null
) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  points jsonb;
  field text;
  fault text;
  is_new boolean;
begin
  tenant := carillon.acting_tenant('carillon.upsert_recipient', tenant);
  if coalesce(length(external_id), 0) not between 1 and 255 or octet_length(external_id) > 1024 or external_id ~ '[\r\n]' then
    field := 'external_id'; fault := 'must be an id of 1 to 255 characters in one line';
  elsif length(name) > 2048 or name ~ '[\r\n]' then
    field := 'name'; fault := 'must be one line of at most 2048 characters';
  elsif locale !~ '^([A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*)?$' or length(locale) > 100 then
    field := 'locale'; fault := 'is not a BCP 47 tag';
  elsif timezone <> '' and not carillon.is_time_zone(timezone) then
    field := 'timezone'; fault := 'is not an IANA time zone';
  elsif cardinality(roles) > 100 or array_ndims(roles) > 1 or exists (select from unnest(roles) r where r is null or length(r) not between 1 and 200 or r ~ '[\r\n]') then
    field := 'roles'; fault := 'must be at most 100 names of 1 to 200 characters';
  elsif cardinality(groups) > 100 or array_ndims(groups) > 1 or exists (select from unnest(groups) g where g is null or length(g) not between 1 and 200 or g ~ '[\r\n]') then
    field := 'groups'; fault := 'must be at most 100 names of 1 to 200 characters';
  elsif attributes is not null and jsonb_typeof(attributes) <> 'object' then
    field := 'attributes'; fault := 'must be a JSON object';
  elsif octet_length(attributes::text) > 65536 or jsonb_path_exists(attributes, 'lax $.**{65}') then
    field := 'attributes'; fault := 'must be at most 64 KiB and 64 levels';
  elsif contact_points is not null then
    points := carillon.read_contact_points('carillon.upsert_recipient', contact_points);
  end if;
  if fault is not null then
    perform carillon.refuse_argument('carillon.upsert_recipient', field, fault);
  end if;

  select w.is_new into is_new
  from carillon.write_recipients(tenant, jsonb_build_array(
    jsonb_strip_nulls(jsonb_build_object('external_id', external_id, 'enabled', enabled, 'contact_points', points,
      'roles', (select jsonb_agg(distinct r) from unnest(roles) r having roles is not null and count(*) > 0),
      'groups', (select jsonb_agg(distinct g) from unnest(groups) g having groups is not null and count(*) > 0)))
    || case when attributes is null then '{}' else jsonb_build_object('attributes', attributes) end
    || case when roles = '{}' then '{"roles": []}'::jsonb else '{}' end
    || case when groups = '{}' then '{"groups": []}'::jsonb else '{}' end
    || case when name is null then '{}' else jsonb_build_object('name', nullif(name, '')) end
    || case when locale is null then '{}' else jsonb_build_object('locale', nullif(locale, '')) end
    || case when timezone is null then '{}' else jsonb_build_object('timezone', nullif(timezone, '')) end
  ), clock_timestamp()) w;
  return coalesce(is_new, false);
end
$$;

-- Contact points as an application writes them, judged, as carillon.write_recipients takes them.
create or replace function carillon.read_contact_points(p_function text, p_points jsonb) returns jsonb
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  points jsonb := p_points;
  fault text;
begin
  if jsonb_typeof(points) = 'object' then
    select coalesce(jsonb_agg(jsonb_build_object('channel', e.key, 'address', a)), '[]') into points
    from jsonb_each(points) e
    cross join lateral jsonb_array_elements(case jsonb_typeof(e.value) when 'array' then e.value else jsonb_build_array(e.value) end) a;
  elsif jsonb_typeof(points) <> 'array' then
    fault := 'must be an object of channels, or an array';
  end if;
  if fault is null and jsonb_array_length(points) > 50 then
    fault := 'must be at most 50';
  elsif fault is null then
    select coalesce(jsonb_agg(case when jsonb_typeof(p) = 'object' then jsonb_strip_nulls(p || jsonb_build_object('channel', lower(p ->> 'channel'))) else p end), '[]')
    into points from jsonb_array_elements(points) p;
    select case
        when jsonb_typeof(p) <> 'object' then 'must be objects with channel and address'
        when p - '{channel,address,device_id,verified}'::text[] <> '{}' then 'have an unknown field'
        when p ->> 'channel' is null or p ->> 'channel' <> all (carillon.channel_names())
          then 'need a channel: ' || array_to_string(carillon.channel_names(), ', ')
        when jsonb_typeof(p -> 'address') is distinct from 'string' or octet_length(p ->> 'address') not between 1 and 1024 then 'need an address of 1 to 1024 bytes'
        when p ->> 'channel' = 'email' and p ->> 'address' !~ '^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$' then 'hold something that is not an e-mail address'
        when p ->> 'channel' = 'webhook' and p ->> 'address' !~ '^https?://[^\s]+$' then 'hold something that is not an http(s) URL'
        when jsonb_typeof(p -> 'device_id') <> 'string' or octet_length(p ->> 'device_id') not between 1 and 255 then 'hold a device_id that is not 1 to 255 bytes'
        when jsonb_typeof(p -> 'verified') <> 'boolean' then 'hold a verified that is not a boolean' end as problem
    into fault
    from jsonb_array_elements(points) p
    order by problem nulls last limit 1;
  end if;
  if fault is not null then
    perform carillon.refuse_argument(p_function, 'contact_points', fault);
  end if;
  return points;
end
$$;
revoke execute on function carillon.read_contact_points(text, jsonb) from public;
grant execute on function carillon.read_contact_points(text, jsonb) to carillon_api;
grant execute on function carillon.upsert_recipient(text, text, text, text, text[], text[], jsonb, jsonb, boolean, uuid) to carillon_caller, carillon_api;
