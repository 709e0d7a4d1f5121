-- Judges preferences, or a merge patch of them (RFC 7386: null takes away), and gives them as they are stored: channels in lower
-- case, priorities as numbers, moments in UTC. The one judge of all ways in; errors: 22023 with the place in COLUMN, and as a
-- JSON array in DETAIL.
--
--   {"enabled": true, "pausedUntil": "2026-12-24T00:00:00Z", "minPriority": "NORMAL", "timezone": "Europe/Berlin", "locale": "de",
--    "channels": {"email": {"enabled": true, "address": "ann@example.com"}},
--    "categories": {"news": {"enabled": true, "channels": ["email"], "minPriority": "LOW", "frequency": "daily"}},
--    "eventTypes": {"commerce.order.shipped": {"enabled": true, "channels": ["push"]}},
--    "quietHours": {"enabled": true, "startTime": "22:00", "endTime": "07:00", "timezone": "Europe/Berlin", "days": [1, 2, 3],
--                   "allowCritical": true}}
create or replace function carillon.read_preferences(p_given jsonb, p_kind text default 'preferences', p_path text[] default '{}') returns jsonb
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  shapes constant jsonb := '{
    "preferences": {"enabled": "flag", "pausedUntil": "moment", "minPriority": "priority", "timezone": "zone", "locale": "locale",
      "channels": "of channels", "categories": "of categories", "eventTypes": "of types", "quietHours": "quiet hours"},
    "channel": {"enabled": "flag", "address": "address"},
    "category": {"enabled": "flag", "channels": "channels", "minPriority": "priority", "frequency": "frequency"},
    "type": {"enabled": "flag", "channels": "channels"},
    "quiet hours": {"enabled": "flag", "startTime": "time", "endTime": "time", "timezone": "zone", "days": "days", "allowCritical": "flag"}}';
  members constant jsonb := '{"of channels": "channel", "of categories": "category", "of types": "type"}';
  words constant text := p_given #>> '{}';
  kind constant text := jsonb_typeof(p_given);
  name text;
  member jsonb;
  result jsonb := '{}';
  fault text;
begin
  if kind = 'null' and p_path <> '{}' then
    return p_given;
  elsif (shapes ? p_kind or members ? p_kind) and kind is distinct from 'object' then
    fault := 'must be an object';

  elsif shapes ? p_kind then
    for name, member in select e.key, e.value from jsonb_each(p_given) e loop
      if not shapes -> p_kind ? name then
        p_path := p_path || name;
        fault := 'is not known; there are ' || (select string_agg(k, ', ') from jsonb_object_keys(shapes -> p_kind) k);
        exit;
      end if;
      result := result || jsonb_build_object(name, carillon.read_preferences(member, shapes -> p_kind ->> name, p_path || name));
    end loop;
    if fault is null and p_kind = 'quiet hours' then
      result := '{"allowCritical": true}'::jsonb || jsonb_strip_nulls(result);
      name := (select r from unnest('{enabled,startTime,endTime}'::text[]) r where not result ? r limit 1);
      if name is not null then
        p_path := p_path || name;
        fault := 'is missing';
      elsif (result ->> 'enabled')::boolean and result -> 'startTime' = result -> 'endTime'
        and not result ? 'days' then
        p_path := p_path || 'endTime'::text;
        fault := 'must differ from startTime, but for whole days, which name them';
      end if;
    end if;

  elsif members ? p_kind then
    if (select count(*) from jsonb_object_keys(p_given)) > 500 then
      fault := 'must have at most 500 entries';
    else
      for name, member in select e.key, e.value from jsonb_each(p_given) e loop
        fault := case
          when p_kind = 'of channels' and not array[lower(name)] <@ carillon.channel_names()
            then 'is not a channel; there are ' || array_to_string(carillon.channel_names(), ', ')
          when p_kind = 'of categories' and (length(name) not between 1 and 200 or name ~ '[\r\n]')
            then 'must be a category of 1 to 200 characters in one line'
          when p_kind = 'of types' and (length(name) > 200 or name !~ '^([A-Za-z0-9][A-Za-z0-9._:/-]*(\.\*)?|\*)$')
            then 'must be an event type of 1 to 200 letters, digits and . _ : / -, or with .* at the end' end;
        if fault is not null then
          p_path := p_path || name;
          exit;
        end if;
        result := result || jsonb_build_object(case p_kind when 'of channels' then lower(name) else name end,
          carillon.read_preferences(member, members ->> p_kind, p_path || name));
      end loop;
    end if;

  elsif p_kind = 'flag' then
    result := p_given;
    if kind <> 'boolean' then fault := 'must be true or false'; end if;
  elsif p_kind = 'priority' then
    result := coalesce(to_jsonb(array_position(array['LOW', 'NORMAL', 'HIGH', 'CRITICAL'], upper(words)) - 1), p_given);
    if result not in ('0', '1', '2', '3') then fault := 'must be LOW, NORMAL, HIGH or CRITICAL'; end if;
  elsif p_kind = 'frequency' then
    result := to_jsonb(lower(words));
    if kind <> 'string' or lower(words) not in ('instant', 'digest', 'hourly', 'daily', 'weekly') then
      fault := 'must be instant, digest, hourly, daily or weekly';
    end if;
  elsif p_kind = 'channels' then
    if kind <> 'array' or not coalesce((
        select array_agg(lower(c #>> '{}')) <@ carillon.channel_names() and bool_and(jsonb_typeof(c) = 'string')
        from jsonb_array_elements(case kind when 'array' then p_given else '[]' end) c), true) then
      fault := 'must be a list of ' || array_to_string(carillon.channel_names(), ', ');
    else
      result := coalesce((select jsonb_agg(distinct to_jsonb(lower(c))) from jsonb_array_elements_text(p_given) c), '[]');
    end if;
  elsif p_kind = 'days' then
    if kind <> 'array' or not coalesce((select bool_and(d in ('0', '1', '2', '3', '4', '5', '6', '7'))
        from jsonb_array_elements(case kind when 'array' then p_given else '[]' end) d), false) then
      fault := 'must be a list of days from 1 (Monday) to 7 (Sunday)';
    else
      result := (select jsonb_agg(distinct case d when '0' then '7'::jsonb else d end) from jsonb_array_elements(p_given) d);
    end if;
  elsif p_kind = 'time' then
    result := p_given;
    if kind <> 'string' or words !~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' then fault := 'must be a time of day as HH:MM'; end if;
  elsif p_kind = 'moment' then
    fault := 'is not a moment in ISO 8601 with an offset';
    if kind = 'string' and words ~ '^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})$' then
      begin
        result := to_jsonb(to_char(words::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'));
        fault := null;
      exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
        null; -- it has the form of a moment and is none
      end;
    end if;
  elsif p_kind = 'zone' then
    result := p_given;
    if kind <> 'string' or length(words) > 100 or not carillon.is_time_zone(words) then fault := 'is not an IANA time zone'; end if;
  elsif p_kind = 'locale' then
    result := p_given;
    if kind <> 'string' or length(words) > 100 or words !~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$' then fault := 'is not a BCP 47 locale'; end if;
  elsif p_kind = 'address' then
    result := p_given;
    fault := case
      when kind <> 'string' or octet_length(words) not between 1 and 1024 or words ~ '[\r\n]' then 'must be one line of 1 to 1024 bytes'
      when lower(p_path[2]) = 'email' and words !~ '^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$' then 'is not an e-mail address'
      when lower(p_path[2]) = 'webhook' and words !~ '^https?://[^\s]+$' then 'is not an http(s) URL' end;
  end if;

  if fault is not null then
    raise exception '% %', coalesce(nullif(array_to_string(p_path, '.'), ''), 'preferences'), fault
      using errcode = 'invalid_parameter_value', column = coalesce(nullif(array_to_string(p_path, '.'), ''), 'preferences'),
            detail = to_json(p_path)::text;
  end if;
  return result;
end
$$;

-- RFC 7386: what is absent from the patch stays, null takes away, objects are merged, all else is replaced.
create or replace function carillon.merge_patch(p_target jsonb, p_patch jsonb) returns jsonb
  language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
as $$
declare
  result jsonb;
  name text;
  member jsonb;
begin
  if jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;
  result := case jsonb_typeof(p_target) when 'object' then p_target else '{}' end;
  for name, member in select e.key, e.value from jsonb_each(p_patch) e loop
    result := case member when 'null' then result - name
      else result || jsonb_build_object(name, carillon.merge_patch(result -> name, member)) end;
  end loop;
  return result;
end
$$;
grant execute on function carillon.read_preferences(jsonb, text, text[]), carillon.merge_patch(jsonb, jsonb), carillon.channel_names(),
  carillon.is_time_zone(text) to carillon_api, carillon_worker;
