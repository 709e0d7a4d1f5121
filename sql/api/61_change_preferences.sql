-- Change what a recipient has said ('': the tenant's defaults) by a merge patch, which is judged here. A change is a new version and
-- the one before is history; a patch that changes nothing is no version. What waits for the recipient is decided anew, and what a
-- change has just forbidden is not sent any more. timezone and locale are the recipient's own, and are written there as well.
-- Returns the version that holds. Called by: store/preferences.ts, set_preferences. Locks: the row of preferences first.
create or replace function carillon.change_preferences(p_tenant uuid, p_recipient text, p_patch jsonb, p_by text, p_now timestamptz) returns int
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  patch jsonb := carillon.read_preferences(p_patch);
  before record;
  wanted jsonb;
  name text;
begin
  insert into carillon.preferences (tenant_id, recipient_id, version, document, updated_at, updated_by)
  values (p_tenant, p_recipient, 1, carillon.merge_patch('{}', patch), p_now, p_by)
  on conflict (tenant_id, recipient_id) do nothing
  returning 0 as version, '{}'::jsonb as document, document as wanted into before;
  if found then
    wanted := before.wanted;
  else
    select p.version, p.document into before from carillon.preferences p
    where p.tenant_id = p_tenant and p.recipient_id = p_recipient for update;
    -- Quiet hours are told as a whole.
    wanted := carillon.merge_patch(case when patch ? 'quietHours' then before.document - 'quietHours' else before.document end, patch);
    if wanted = before.document then
      return before.version;
    end if;
    update carillon.preferences p
    set version = p.version + 1, document = wanted, updated_at = greatest(p_now, p.updated_at), updated_by = p_by
    where p.tenant_id = p_tenant and p.recipient_id = p_recipient;
  end if;
  if octet_length(wanted::text) > 65536 then
    raise exception 'preferences must be at most 64 KiB'
      using errcode = 'invalid_parameter_value', column = 'preferences', detail = '[]';
  end if;

  if p_recipient = '' then
    perform carillon.decide_again(p_tenant, null, p_now);
    return before.version + 1;
  end if;
  if patch ?| '{timezone,locale}' then
    insert into carillon.recipients as r (tenant_id, external_id, timezone, locale, created_at, updated_at)
    values (p_tenant, p_recipient, patch ->> 'timezone', patch ->> 'locale', p_now, p_now)
    on conflict (tenant_id, external_id) do update
      set timezone = case when patch ? 'timezone' then excluded.timezone else r.timezone end,
          locale = case when patch ? 'locale' then excluded.locale else r.locale end, updated_at = p_now;
  end if;
  perform carillon.decide_again(p_tenant, array[p_recipient], p_now);

  if wanted @> '{"enabled": false}' and not before.document @> '{"enabled": false}' then
    perform carillon.stop_unsent(p_tenant, p_recipient, 'opted_out', p_now);
  elsif (patch ->> 'pausedUntil')::timestamptz > p_now then
    perform carillon.stop_unsent(p_tenant, p_recipient, 'paused', p_now);
  end if;
  for name in
    select e.key from jsonb_each(coalesce(nullif(patch -> 'channels', 'null'), '{}')) e
    where e.value @> '{"enabled": false}' and not coalesce(before.document #> array['channels', e.key] @> '{"enabled": false}', false)
  loop
    perform carillon.stop_unsent(p_tenant, p_recipient, 'channel_opted_out', p_now, p_channel => name);
  end loop;
  for name in
    select e.key from jsonb_each(coalesce(nullif(patch -> 'categories', 'null'), '{}')) e
    where e.value @> '{"enabled": false}' and not coalesce(before.document #> array['categories', e.key] @> '{"enabled": false}', false)
      and not exists (select from carillon.categories c where c.tenant_id = p_tenant and c.name = e.key and c.required)
  loop
    perform carillon.stop_unsent(p_tenant, p_recipient, 'category_opted_out', p_now, p_category => name);
  end loop;
  for name in
    select e.key from jsonb_each(coalesce(nullif(patch -> 'eventTypes', 'null'), '{}')) e
    where e.value @> '{"enabled": false}' and not coalesce(before.document #> array['eventTypes', e.key] @> '{"enabled": false}', false)
  loop
    perform carillon.stop_unsent(p_tenant, p_recipient, 'event_type_opted_out', p_now, p_type => name);
  end loop;
  return before.version + 1;
end
$$;
grant execute on function carillon.change_preferences(uuid, text, jsonb, text, timestamptz) to carillon_api, carillon_worker;

-- carillon.set_preferences: what a recipient wants, said in your own transaction.
--
--   select carillon.set_preferences('user-42', '{"categories": {"news": {"enabled": false}}}');
--
-- A JSON merge patch (RFC 7386): what is absent stays, null takes away, quietHours are told as a whole. The shape stands at
-- carillon.read_preferences (sql/api/55_read_preferences.sql). recipient '': the tenant's defaults. changed_by is kept with the
-- history; absent: the login. Returns the version that holds. Errors as carillon.notify, with the place in COLUMN.
create or replace function carillon.set_preferences(recipient text, preferences jsonb, changed_by text default null, tenant uuid default null) returns int
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  tenant := carillon.acting_tenant('carillon.set_preferences', tenant);
  if recipient is distinct from '' then
    perform carillon.check_recipient('carillon.set_preferences', recipient);
  end if;
  if length(changed_by) not between 1 and 200 then
    perform carillon.refuse_argument('carillon.set_preferences', 'changed_by', 'must be 1 to 200 characters');
  end if;
  return carillon.change_preferences(tenant, recipient, preferences, coalesce(changed_by, 'sql:' || session_user), clock_timestamp());
end
$$;
grant execute on function carillon.set_preferences(text, jsonb, text, uuid) to carillon_caller, carillon_api;
