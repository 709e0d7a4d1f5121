-- carillon.notify: ask for a notification inside your own transaction. A rollback sends nothing, a commit cannot be lost.
--
--   select carillon.notify(
--     type      => 'commerce.order.shipped',              -- required
--     recipient => '{"id": "user-42", "email": "ann@example.com"}',
--                                                          -- type (USER), id, email, phone, name, slackId, telegramId,
--                                                          -- discordId, webhookUrl, locale, timezone; an id or an address
--     template  => 'order-shipped',                        -- or inline: subject, body, body_html
--     data      => '{"order": "A-1"}',
--     channels  => '{email,in_app}',
--     idempotency_key => 'order-A-1-shipped');
--
-- Returns the notification's id; for a duplicate, the first one's. Times are timestamptz; scheduled_at at most 366 days
-- ahead; expires_at after it. priority: LOW, NORMAL, HIGH, CRITICAL. traceparent: W3C; a malformed one is ignored.
-- tenant: only for a login bound to several. Errors: 22023 (invalid_parameter_value) with COLUMN naming the argument;
-- 23505 (unique_violation) where the key was used with another payload; 42501 where the login is bound to no tenant.
-- Rights: grant carillon_caller to the login, and bind it: carillon roles bind.
create or replace function carillon.notify(
  type text,
  recipient jsonb,
  template text default null,
  data jsonb default '{}',
  channels text[] default null,
  fallback_channels text[] default null,
  priority text default 'NORMAL',
  category text default null,
  subject text default null,
  body text default null,
  body_html text default null,
  metadata jsonb default '{}',
  idempotency_key text default null,
  event_id text default null,
  scheduled_at timestamptz default null,
  expires_at timestamptz default null,
  correlation_id text default null,
  traceparent text default null,
  tenant uuid default null
) returns uuid
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  allowed uuid[] := carillon.current_tenants();
  tenant_id uuid := tenant;
  priority_value int := array_position(array['LOW', 'NORMAL', 'HIGH', 'CRITICAL'], upper(priority)) - 1;
  known_channels text[] := enum_range(null::carillon.channel)::text[];
  kind text := lower(coalesce(recipient ->> 'type', 'USER'));
  now_at timestamptz := clock_timestamp();
  fault text;
  field text;
  intent_id uuid;
  answer record;
begin
  if tenant_id is null and cardinality(allowed) = 1 then
    tenant_id := allowed[1];
  end if;
  if tenant_id is null and cardinality(allowed) > 1 then
    field := 'tenant'; fault := 'this login acts for several tenants; name one';
  elsif tenant_id is null or tenant_id <> all (allowed) then
    raise exception 'carillon.notify: this login may not act for that tenant' using errcode = 'insufficient_privilege', column = 'tenant';
  elsif type is null or type !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$' then
    field := 'type'; fault := 'must be 1 to 200 letters, digits and . _ : / -';
  elsif recipient is null or jsonb_typeof(recipient) <> 'object' then
    field := 'recipient'; fault := 'must be a JSON object';
  elsif exists (select from jsonb_object_keys(recipient) k
                where k not in ('type', 'id', 'email', 'phone', 'name', 'slackId', 'telegramId', 'discordId', 'webhookUrl', 'locale', 'timezone')) then
    field := 'recipient'; fault := 'has an unknown field: ' || (select string_agg(k, ', ') from jsonb_object_keys(recipient) k
                where k not in ('type', 'id', 'email', 'phone', 'name', 'slackId', 'telegramId', 'discordId', 'webhookUrl', 'locale', 'timezone'));
  elsif exists (select from jsonb_each(recipient) e where jsonb_typeof(e.value) not in ('string', 'null') or length(e.value #>> '{}') > 2048) then
    field := 'recipient'; fault := 'fields must be strings of at most 2048 characters';
  elsif (recipient ->> 'id') ~ '[\r\n]' or (recipient ->> 'name') ~ '[\r\n]' then
    field := 'recipient'; fault := 'id and name must be one line';
  elsif recipient ->> 'locale' is not null and recipient ->> 'locale' !~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$' then
    field := 'recipient'; fault := 'locale is not a BCP 47 tag';
  elsif length(recipient ->> 'id') > 255 then
    field := 'recipient'; fault := 'id must be at most 255 characters';
  elsif exists (select from jsonb_each_text(recipient) e where e.key not in ('webhookUrl', 'name') and octet_length(e.value) > 1024) then
    field := 'recipient'; fault := 'fields must be at most 1024 bytes';
  elsif kind not in ('user', 'role', 'group', 'system') then
    field := 'recipient'; fault := 'type must be USER, ROLE, GROUP or SYSTEM';
  elsif kind <> 'user' and coalesce(recipient ->> 'id', '') = '' then
    field := 'recipient'; fault := 'needs an id';
  elsif kind = 'user' and coalesce(nullif(recipient ->> 'id', ''), recipient ->> 'email', recipient ->> 'phone', recipient ->> 'slackId',
        recipient ->> 'telegramId', recipient ->> 'discordId', recipient ->> 'webhookUrl') is null then
    field := 'recipient'; fault := 'needs an id or an address';
  elsif recipient ->> 'email' is not null and recipient ->> 'email' !~ '^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$' then
    field := 'recipient'; fault := 'email is not an e-mail address';
  elsif recipient ->> 'webhookUrl' is not null and recipient ->> 'webhookUrl' !~ '^https?://[^\s]+$' then
    field := 'recipient'; fault := 'webhookUrl is not an http(s) URL';
  elsif recipient ->> 'timezone' is not null and not carillon.is_time_zone(recipient ->> 'timezone') then
    field := 'recipient'; fault := 'timezone is not an IANA time zone';
  elsif template is null and body is null and subject is null and body_html is null then
    field := 'template'; fault := 'give a template or inline content (subject, body, body_html)';
  elsif template is not null and (body is not null or subject is not null or body_html is not null) then
    field := 'template'; fault := 'give a template or inline content, not both';
  elsif template is not null and length(template) not between 1 and 200 then
    field := 'template'; fault := 'must be 1 to 200 characters';
  elsif coalesce(subject, '') ~ '[\r\n]' then
    field := 'subject'; fault := 'must be one line';
  elsif data is null or jsonb_typeof(data) <> 'object' then
    field := 'data'; fault := 'must be a JSON object';
  elsif metadata is null or jsonb_typeof(metadata) <> 'object' then
    field := 'metadata'; fault := 'must be a JSON object';
  elsif octet_length(coalesce(data::text, '')) + octet_length(coalesce(metadata::text, '')) + octet_length(coalesce(body, ''))
        + octet_length(coalesce(body_html, '')) + octet_length(coalesce(subject, '')) > 1048576 then
    field := 'data'; fault := 'content is larger than 1 MiB';
  elsif jsonb_path_exists(data, 'lax $.**{65}') or jsonb_path_exists(metadata, 'lax $.**{65}') then
    field := 'data'; fault := 'is nested deeper than 64 levels';
  elsif array_ndims(channels) > 1 or cardinality(channels) = 0 or not coalesce(lower(channels::text)::text[] <@ known_channels, true) then
    field := 'channels'; fault := 'must be one or more of ' || array_to_string(known_channels, ', ');
  elsif array_ndims(fallback_channels) > 1 or not coalesce(lower(fallback_channels::text)::text[] <@ known_channels, true) then
    field := 'fallback_channels'; fault := 'must be among ' || array_to_string(known_channels, ', ');
  elsif priority_value is null then
    field := 'priority'; fault := 'must be LOW, NORMAL, HIGH or CRITICAL';
  elsif length(idempotency_key) not between 1 and 255 then
    field := 'idempotency_key'; fault := 'must be 1 to 255 characters';
  elsif length(category) not between 1 and 200 then
    field := 'category'; fault := 'must be 1 to 200 characters';
  elsif length(event_id) not between 1 and 255 then
    field := 'event_id'; fault := 'must be 1 to 255 characters';
  elsif length(correlation_id) not between 1 and 255 then
    field := 'correlation_id'; fault := 'must be 1 to 255 characters';
  elsif scheduled_at > now_at + interval '366 days' or scheduled_at < now_at - interval '366 days' then
    field := 'scheduled_at'; fault := 'must be within 366 days';
  elsif not isfinite(expires_at) or expires_at > now_at + interval '100 years' or expires_at <= greatest(now_at, scheduled_at) then
    field := 'expires_at'; fault := 'must be in the future and after scheduled_at';
  end if;
  if fault is not null then
    raise exception 'carillon.notify: % %', field, fault using errcode = 'invalid_parameter_value', column = field;
  end if;
  if traceparent !~ '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$' then
    traceparent := null;
  end if;

  intent_id := carillon.new_intent_id(now_at);
  select * into answer from carillon.accept_intents(
    p_now => now_at, p_key_ttl => null, p_claimed => false, p_tenants => array[tenant_id], p_ids => array[intent_id],
    p_kinds => array['direct'], p_types => array[type], p_priorities => array[priority_value::smallint], p_categories => array[category],
    p_keys => array[idempotency_key], p_event_ids => array[event_id], p_correlation_ids => array[correlation_id],
    p_traceparents => array[traceparent], p_sources => array['sql'], p_scheduled_at => array[scheduled_at],
    p_expires_at => array[expires_at], p_recipients => array[1], p_jobs => array[gen_random_uuid()],
    p_payloads => jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
      'recipients', jsonb_build_array(recipient || jsonb_build_object('type', kind)),
      'channels', to_jsonb(lower(channels::text)::text[]), 'fallbackChannels', to_jsonb(lower(fallback_channels::text)::text[]),
      'template', template, 'subject', subject, 'body', body, 'bodyHtml', body_html))
      || jsonb_build_object('data', data, 'metadata', metadata)),
    p_events => json_build_array(json_build_object('tenant_id', tenant_id, 'id', carillon.new_intent_id(now_at), 'events',
      json_build_array(json_build_object('subject_id', intent_id, 'type', 'notification.intent.received', 'data',
        json_strip_nulls(json_build_object('kind', 'direct', 'type', type, 'source', 'sql', 'event_id', event_id,
          'idempotency_key', idempotency_key, 'correlation_id', correlation_id, 'traceparent', traceparent)))))));
  if answer.status = 'conflict' then
    raise exception 'carillon.notify: idempotency_key was used with another payload' using errcode = 'unique_violation', column = 'idempotency_key';
  end if;
  return carillon.notification_id(answer.intent_id, 1);
end
$$;
grant execute on function carillon.notify(text, jsonb, text, jsonb, text[], text[], text, text, text, text, text, jsonb, text, text,
  timestamptz, timestamptz, text, text, uuid) to carillon_caller, carillon_api;
