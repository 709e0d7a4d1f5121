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
-- ahead; expires_at after it. schedule: '{"localTime": "09:00"}' and the like, see 27_read_schedule.sql. priority: LOW, NORMAL, HIGH, CRITICAL. traceparent: W3C; a malformed one is ignored.
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
  tenant uuid default null,
  schedule jsonb default null
) returns uuid
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_variable
declare
  allowed uuid[] := carillon.session_tenants();
  priority_value smallint := array_position(array['LOW', 'NORMAL', 'HIGH', 'CRITICAL'], upper(priority)) - 1;
  kind text := lower(coalesce(recipient ->> 'type', 'USER'));
  recipient_text text := recipient::text;
  now_at timestamptz := clock_timestamp();
  field text;
  fault text;
  intent_id uuid;
begin
  if tenant is null and cardinality(allowed) > 1 then
    field := 'tenant'; fault := 'this login acts for several tenants; name one';
  else
    tenant := coalesce(tenant, allowed[1]);
    if tenant is null or tenant <> all (allowed) then
      raise exception 'carillon.notify: this login may not act for that tenant' using errcode = 'insufficient_privilege', column = 'tenant';
    end if;
  end if;

  -- The first fault counts. A condition costs half a microsecond to five, so those of what few calls have stand behind one, and what
  -- nearly all recipients look like is known at a glance: an id, perhaps a name, an address, a phone, and nothing to be escaped.
  if fault is not null then
    null;
  elsif type is null or length(type) > 200 or type !~ '^[A-Za-z0-9][A-Za-z0-9._:/-]*$' then
    field := 'type'; fault := 'must be 1 to 200 letters, digits and . _ : / -';
  elsif octet_length(recipient_text) <= 255 and recipient_text ~ '^\{"id": "[^"\\]+"(?:, "name": "[^"\\]*")?(?:, "email": "[^\s@<>",;:\\]+@[^\s@<>",;:\\]+")?(?:, "phone": "[^"\\]*")?\}$' then
    null;
  elsif jsonb_typeof(recipient) is distinct from 'object' then
    field := 'recipient'; fault := 'must be a JSON object';
  elsif recipient - '{type,id,email,phone,name,slackId,telegramId,discordId,webhookUrl,locale,timezone}'::text[] <> '{}' then
    field := 'recipient'; fault := 'has an unknown field: ' || (select string_agg(k, ', ') from jsonb_object_keys(
      recipient - '{type,id,email,phone,name,slackId,telegramId,discordId,webhookUrl,locale,timezone}'::text[]) k);
  elsif jsonb_path_exists(recipient, 'strict $.* ? (@.type() != "string" && @.type() != "null")') then
    field := 'recipient'; fault := 'fields must be strings of at most 2048 characters';
  elsif concat(recipient ->> 'id', recipient ->> 'name') ~ '[\r\n]' then
    field := 'recipient'; fault := 'id and name must be one line';
  elsif kind not in ('user', 'role', 'group', 'system') then
    field := 'recipient'; fault := 'type must be USER, ROLE, GROUP or SYSTEM';
  elsif kind <> 'user' and coalesce(recipient ->> 'id', '') = '' then
    field := 'recipient'; fault := 'needs an id';
  elsif kind = 'user' and coalesce(nullif(recipient ->> 'id', ''), recipient ->> 'email', recipient ->> 'phone', recipient ->> 'slackId',
        recipient ->> 'telegramId', recipient ->> 'discordId', recipient ->> 'webhookUrl') is null then
    field := 'recipient'; fault := 'needs an id or an address';
  elsif recipient ->> 'email' !~ '^[^\s@<>",;:\\]+@[^\s@<>",;:\\]+$' then
    field := 'recipient'; fault := 'email is not an e-mail address';
  elsif octet_length(recipient_text) > 255 or recipient ?| '{locale,webhookUrl,timezone}' then
    field := 'recipient';
    fault := case
      when exists (select from jsonb_each_text(recipient) e where length(e.value) > 2048) then 'fields must be strings of at most 2048 characters'
      when recipient ->> 'locale' !~ '^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$' then 'locale is not a BCP 47 tag'
      when length(recipient ->> 'id') > 255 then 'id must be at most 255 characters'
      when exists (select from jsonb_each_text(recipient) e where e.key not in ('webhookUrl', 'name') and octet_length(e.value) > 1024)
        then 'fields must be at most 1024 bytes'
      when recipient ->> 'webhookUrl' !~ '^https?://[^\s]+$' then 'webhookUrl is not an http(s) URL'
      when recipient ->> 'timezone' is not null and not carillon.is_time_zone(recipient ->> 'timezone') then 'timezone is not an IANA time zone' end;
  end if;

  if not channels <@ carillon.channel_names() then
    channels := lower(channels::text)::text[];
  end if;
  if fault is not null then
    null;
  elsif length(template) between 1 and 200 and length(idempotency_key) between 1 and 255 and array_ndims(channels) = 1
    and channels <@ carillon.channel_names() and priority_value is not null and metadata = '{}' and jsonb_typeof(data) = 'object'
    and octet_length(data::text) < 1048000 and not jsonb_path_exists(data, 'lax $.**{65}') and coalesce(length(category) between 1 and 200, true)
    and num_nonnulls(body, subject, body_html, fallback_channels, event_id, correlation_id, scheduled_at, expires_at, traceparent) = 0 then
    null; -- what most calls look like, in one expression: each costs something of its own
  elsif num_nonnulls(template, body, subject, body_html) = 0 then
    field := 'template'; fault := 'give a template or inline content (subject, body, body_html)';
  elsif template is not null and (num_nonnulls(body, subject, body_html) > 0) then
    field := 'template'; fault := 'give a template or inline content, not both';
  elsif length(template) not between 1 and 200 then
    field := 'template'; fault := 'must be 1 to 200 characters';
  elsif subject ~ '[\r\n]' then
    field := 'subject'; fault := 'must be one line';
  elsif jsonb_typeof(data) is distinct from 'object' then
    field := 'data'; fault := 'must be a JSON object';
  elsif jsonb_typeof(metadata) is distinct from 'object' then
    field := 'metadata'; fault := 'must be a JSON object';
  elsif octet_length(concat(data, metadata, body, body_html, subject)) > 1048576 then
    field := 'data'; fault := 'content is larger than 1 MiB';
  elsif jsonb_path_exists(data, 'lax $.**{65}') or jsonb_path_exists(metadata, 'lax $.**{65}') then
    field := 'data'; fault := 'is nested deeper than 64 levels';
  elsif array_ndims(channels) > 1 or cardinality(channels) = 0 or not channels <@ carillon.channel_names() then
    field := 'channels'; fault := 'must be one or more of ' || array_to_string(carillon.channel_names(), ', ');
  elsif array_ndims(fallback_channels) > 1 or not lower(fallback_channels::text)::text[] <@ carillon.channel_names() then
    field := 'fallback_channels'; fault := 'must be among ' || array_to_string(carillon.channel_names(), ', ');
  elsif priority_value is null then
    field := 'priority'; fault := 'must be LOW, NORMAL, HIGH or CRITICAL';
  elsif length(idempotency_key) not between 1 and 255 then
    field := 'idempotency_key'; fault := 'must be 1 to 255 characters';
  elsif num_nonnulls(category, event_id, correlation_id, scheduled_at, expires_at, traceparent) > 0 then
    if length(category) not between 1 and 200 then
      field := 'category'; fault := 'must be 1 to 200 characters';
    elsif length(event_id) not between 1 and 255 then
      field := 'event_id'; fault := 'must be 1 to 255 characters';
    elsif length(correlation_id) not between 1 and 255 then
      field := 'correlation_id'; fault := 'must be 1 to 255 characters';
    elsif scheduled_at > now_at + interval '366 days' or scheduled_at < now_at - interval '366 days' then
      field := 'scheduled_at'; fault := 'must be within 366 days';
    elsif not isfinite(expires_at) or expires_at > now_at + interval '100 years' or expires_at <= greatest(now_at, scheduled_at) then
      field := 'expires_at'; fault := 'must be in the future and after scheduled_at';
    elsif traceparent !~ '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$' then
      traceparent := null;
    end if;
  end if;
  if fault is not null then
    raise exception 'carillon.notify: % %', field, fault using errcode = 'invalid_parameter_value', column = field;
  end if;

  if schedule is not null then
    schedule := carillon.read_schedule(schedule);
    if expires_at <= greatest(now_at, scheduled_at) + coalesce((schedule ->> 'delayMs')::bigint, 0) * interval '1 ms' then
      raise exception 'carillon.notify: expires_at must be after the delay of schedule'
        using errcode = 'invalid_parameter_value', column = 'expires_at';
    end if;
  end if;

  intent_id := carillon.accept_intent(now_at, tenant, type, priority_value, category, idempotency_key,
    event_id, correlation_id, traceparent, 'sql', scheduled_at, expires_at,
    jsonb_strip_nulls(jsonb_build_object(
      'recipients', jsonb_build_array(recipient || jsonb_build_object('type', kind)),
      'channels', channels, 'fallbackChannels', lower(fallback_channels::text)::text[],
      'template', template, 'subject', subject, 'body', body, 'bodyHtml', body_html,
      'schedule', schedule))
      || jsonb_build_object('data', data, 'metadata', metadata));
  if intent_id is null then
    raise exception 'carillon.notify: idempotency_key was used with another payload' using errcode = 'unique_violation', column = 'idempotency_key';
  end if;
  return carillon.notification_id(intent_id, 1);
end
$$;
grant execute on function carillon.notify(text, jsonb, text, jsonb, text[], text[], text, text, text, text, text, jsonb, text, text,
  timestamptz, timestamptz, text, text, uuid, jsonb) to carillon_caller, carillon_api;
