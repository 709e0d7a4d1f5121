-- One contact point of a recipient: added, or known to be good, or known to be bad, or removed.
--
--   select carillon.add_contact_point('user-42', 'push', 'token…', device_id => 'phone-1');    -- in place of that device's old token
--   select carillon.verify_contact_point('user-42', 'email', 'ann@example.com');               -- and usable again, if it was not
--   select carillon.invalidate_contact_point('user-42', 'email', 'ann@example.com', reason => 'bounced');  -- not used any more
--   select carillon.remove_contact_point('user-42', 'email', 'ann@example.com');
--
-- Each returns whether there is (was) such a contact point; adding needs the recipient. tenant: only for a login bound to several.
-- Errors: 22023 with COLUMN naming the argument; 42501 where the login may not.

-- The change itself, judged by the caller: 'add', 'verify', 'invalidate' or 'remove'. Added ones stand last, with `p_first` first.
-- Called by: store/contact-points.ts and the functions below. Locks: the recipient, then its points.
create or replace function carillon.change_contact_point(p_tenant uuid, p_recipient text, p_change text, p_channel carillon.channel,
  p_address text, p_now timestamptz, p_device_id text default null, p_first boolean default false, p_verified boolean default false,
  p_reason text default null) returns boolean
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
  perform from carillon.recipients r where r.tenant_id = p_tenant and r.external_id = p_recipient for update;
  if not found then
    return false;
  end if;
  if p_change = 'add' then
    delete from carillon.contact_points c
    where c.tenant_id = p_tenant and c.recipient_id = p_recipient and c.channel = p_channel
      and c.device_id = p_device_id and c.address <> p_address;
    if p_first then
      update carillon.contact_points c set position = c.position + 1
      where c.tenant_id = p_tenant and c.recipient_id = p_recipient and c.channel = p_channel;
    end if;
    insert into carillon.contact_points as c (tenant_id, recipient_id, channel, address, position, device_id, verified_at, created_at)
    select p_tenant, p_recipient, p_channel, p_address,
           case when p_first then 0 else coalesce((select max(o.position) + 1 from carillon.contact_points o
             where o.tenant_id = p_tenant and o.recipient_id = p_recipient and o.channel = p_channel), 0) end,
           p_device_id, case when p_verified then p_now end, p_now
    on conflict (tenant_id, recipient_id, channel, address) do update
      set position = case when p_first then 0 else c.position end, device_id = coalesce(excluded.device_id, c.device_id),
          verified_at = coalesce(c.verified_at, excluded.verified_at), invalid_at = null, invalid_reason = null;
  elsif p_change = 'verify' then
    update carillon.contact_points c set verified_at = p_now, invalid_at = null, invalid_reason = null
    where c.tenant_id = p_tenant and c.recipient_id = p_recipient and c.channel = p_channel and c.address = p_address;
  elsif p_change = 'invalidate' then
    update carillon.contact_points c set invalid_at = coalesce(c.invalid_at, p_now), invalid_reason = p_reason
    where c.tenant_id = p_tenant and c.recipient_id = p_recipient and c.channel = p_channel and c.address = p_address;
  else
    delete from carillon.contact_points c
    where c.tenant_id = p_tenant and c.recipient_id = p_recipient and c.channel = p_channel and c.address = p_address;
  end if;
  if not found then
    return false;
  end if;
  update carillon.recipients r set updated_at = p_now where r.tenant_id = p_tenant and r.external_id = p_recipient;
  perform carillon.decide_again(p_tenant, array[p_recipient], p_now);
  return true;
end
$$;

create or replace function carillon.add_contact_point(recipient text, channel text, address text, device_id text default null,
  first boolean default false, verified boolean default false, tenant uuid default null) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
  points jsonb;
begin
  tenant := carillon.acting_tenant('carillon.add_contact_point', tenant);
  perform carillon.check_recipient('carillon.add_contact_point', recipient);
  points := carillon.read_contact_points('carillon.add_contact_point', jsonb_build_array(jsonb_build_object('channel', channel,
    'address', address, 'device_id', device_id)));
  if (select count(*) from carillon.contact_points c where c.tenant_id = tenant and c.recipient_id = recipient) >= 50 then
    perform carillon.refuse_argument('carillon.add_contact_point', 'recipient', 'has 50 contact points already');
  end if;
  return carillon.change_contact_point(tenant, recipient, 'add', (points #>> '{0,channel}')::carillon.channel, address, clock_timestamp(),
    device_id, coalesce(first, false), coalesce(verified, false));
end
$$;

create or replace function carillon.verify_contact_point(recipient text, channel text, address text, tenant uuid default null) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
  tenant := carillon.acting_tenant('carillon.verify_contact_point', tenant);
  perform carillon.check_channel('carillon.verify_contact_point', channel);
  return carillon.change_contact_point(tenant, recipient, 'verify', lower(channel)::carillon.channel, address, clock_timestamp());
end
$$;

create or replace function carillon.invalidate_contact_point(recipient text, channel text, address text, reason text,
  tenant uuid default null) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
  tenant := carillon.acting_tenant('carillon.invalidate_contact_point', tenant);
  perform carillon.check_channel('carillon.invalidate_contact_point', channel);
  if coalesce(length(reason), 0) not between 1 and 200 or reason ~ '[\r\n]' then
    perform carillon.refuse_argument('carillon.invalidate_contact_point', 'reason', 'must be one line of 1 to 200 characters');
  end if;
  return carillon.change_contact_point(tenant, recipient, 'invalidate', lower(channel)::carillon.channel, address, clock_timestamp(),
    p_reason => reason);
end
$$;

create or replace function carillon.remove_contact_point(recipient text, channel text, address text, tenant uuid default null) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
begin
  tenant := carillon.acting_tenant('carillon.remove_contact_point', tenant);
  perform carillon.check_channel('carillon.remove_contact_point', channel);
  return carillon.change_contact_point(tenant, recipient, 'remove', lower(channel)::carillon.channel, address, clock_timestamp());
end
$$;

-- Refuses what is no channel.
create or replace function carillon.check_channel(p_function text, p_channel text) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  if p_channel is null or lower(p_channel) <> all (carillon.channel_names()) then
    perform carillon.refuse_argument(p_function, 'channel', 'must be one of ' || array_to_string(carillon.channel_names(), ', '));
  end if;
end
$$;
revoke execute on function carillon.change_contact_point(uuid, text, text, carillon.channel, text, timestamptz, text, boolean, boolean, text),
  carillon.check_channel(text, text) from public;
grant execute on function carillon.change_contact_point(uuid, text, text, carillon.channel, text, timestamptz, text, boolean, boolean, text)
  to carillon_api, carillon_worker;
grant execute on function carillon.add_contact_point(text, text, text, text, boolean, boolean, uuid),
  carillon.verify_contact_point(text, text, text, uuid), carillon.invalidate_contact_point(text, text, text, text, uuid),
  carillon.remove_contact_point(text, text, text, uuid) to carillon_caller, carillon_api;
