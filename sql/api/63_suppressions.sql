-- Write down addresses that are not to be used, p_addresses [{"channel", "address", "reason", "source", "note", "expires_at"}]; what
-- was written of one before is replaced. Called by: store/suppressions.ts, suppress. Locks: the rows, in the order of their keys.
create or replace function carillon.add_suppressions(p_tenant uuid, p_addresses json, p_now timestamptz) returns setof carillon.suppressions
  language sql volatile set search_path = pg_catalog, pg_temp
as $$
  insert into carillon.suppressions as s (tenant_id, channel, address, reason, source, note, created_at, expires_at)
  select p_tenant, a.channel, carillon.address_key(a.channel, a.address), a.reason, a.source, a.note, p_now, a.expires_at
  from (
    select distinct on (x.channel, carillon.address_key(x.channel, x.address)) x.*
    from json_to_recordset(p_addresses) as x (channel carillon.channel, address text, reason text, source text, note text, expires_at timestamptz)
    order by x.channel, carillon.address_key(x.channel, x.address)
  ) a
  on conflict (tenant_id, channel, address) do update
    set reason = excluded.reason, source = excluded.source, note = excluded.note, created_at = excluded.created_at,
        expires_at = excluded.expires_at
  returning s.*
$$;

-- Takes an address back into use. False: it was not suppressed.
create or replace function carillon.remove_suppression(p_tenant uuid, p_channel carillon.channel, p_address text) returns boolean
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
begin
  delete from carillon.suppressions s
  where s.tenant_id = p_tenant and s.channel = p_channel and s.address = carillon.address_key(p_channel, p_address);
  return found;
end
$$;
grant execute on function carillon.add_suppressions(uuid, json, timestamptz),
  carillon.remove_suppression(uuid, carillon.channel, text) to carillon_api, carillon_worker;

-- carillon.suppress: nothing is sent to this address any more, whosever it is, until expires_at or for good.
--
--   select carillon.suppress('email', 'ann@example.com', reason => 'complaint', source => 'abuse desk');
--
-- reason: hard_bounce, complaint, manual. Errors as carillon.notify. carillon.unsuppress takes it back; false: it was not suppressed.
create or replace function carillon.suppress(channel text, address text, reason text default 'manual', source text default 'sql',
  note text default null, expires_at timestamptz default null, tenant uuid default null) returns void
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
declare
  now_at timestamptz := clock_timestamp();
begin
  tenant := carillon.acting_tenant('carillon.suppress', tenant);
  perform carillon.check_suppressed('carillon.suppress', channel, address);
  if coalesce(reason, '') not in ('hard_bounce', 'complaint', 'manual') then
    perform carillon.refuse_argument('carillon.suppress', 'reason', 'must be hard_bounce, complaint or manual');
  elsif coalesce(length(source), 0) not between 1 and 200 then
    perform carillon.refuse_argument('carillon.suppress', 'source', 'must be 1 to 200 characters');
  elsif length(note) > 2000 then
    perform carillon.refuse_argument('carillon.suppress', 'note', 'must be at most 2000 characters');
  elsif expires_at <= now_at then
    perform carillon.refuse_argument('carillon.suppress', 'expires_at', 'must be in the future');
  end if;
  perform carillon.add_suppressions(tenant, json_build_array(json_build_object('channel', lower(channel), 'address', address,
    'reason', reason, 'source', source, 'note', note, 'expires_at', expires_at)), now_at);
end
$$;

create or replace function carillon.unsuppress(channel text, address text, tenant uuid default null) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  tenant := carillon.acting_tenant('carillon.unsuppress', tenant);
  perform carillon.check_suppressed('carillon.unsuppress', channel, address);
  return carillon.remove_suppression(tenant, lower(channel)::carillon.channel, address);
end
$$;

create or replace function carillon.check_suppressed(p_function text, p_channel text, p_address text) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  if p_channel is null or not array[lower(p_channel)] <@ carillon.channel_names() then
    perform carillon.refuse_argument(p_function, 'channel', 'must be one of ' || array_to_string(carillon.channel_names(), ', '));
  elsif coalesce(octet_length(carillon.address_key(lower(p_channel)::carillon.channel, p_address)), 0) not between 1 and 1024
    or p_address ~ '[\r\n]' then
    perform carillon.refuse_argument(p_function, 'address', 'must be an address of at most 1024 bytes in one line');
  end if;
end
$$;
grant execute on function carillon.suppress(text, text, text, text, text, timestamptz, uuid), carillon.unsuppress(text, text, uuid)
  to carillon_caller, carillon_api;
grant execute on function carillon.check_suppressed(text, text, text) to carillon_api;
