-- Writes recipients: $2 is a JSON array of {external_id, name, locale, timezone, enabled, roles, groups, attributes, contact_points},
-- judged by the caller, each external_id once. A field that is absent stays as it is; null clears it (roles and groups: []).
-- contact_points are all there shall be, [{channel, address, device_id, verified}], the preferred one of a channel first: an address
-- that stays keeps what is known of it; a new token of a device replaces that device's. With contact_channels they speak of those
-- channels alone, and the others stay. Nothing is written where nothing changes.
-- Returns those that are new or changed. What waits for the changed ones is decided anew, and who was switched off gets nothing more.
-- Called by: store/recipients.ts, carillon.upsert_recipient. To switch somebody off, the session must act for the tenant.
-- Locks: the recipients, in order of the external id; then their points.
create or replace function carillon.write_recipients(p_tenant uuid, p_profiles jsonb, p_now timestamptz)
  returns table (external_id text, is_new boolean)
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  added text[];
  changed text[];
  switched_off text[];
  owners text[]; -- one array a column of the points: a tenth of what they cost as JSON
  media carillon.channel[];
  addresses text[];
  devices text[];
  verdicts boolean[];
  places smallint[];
  moved text[];
begin
  with given as (
    select p.* from jsonb_to_recordset(p_profiles) as p (external_id text, name text, locale text, timezone text, enabled boolean,
      roles text[], groups text[], attributes jsonb)
  ), inserted as (
    insert into carillon.recipients (tenant_id, external_id, name, locale, timezone, enabled, roles, groups, attributes, created_at, updated_at)
    select p_tenant, g.external_id, g.name, g.locale, g.timezone, coalesce(g.enabled, true), coalesce(g.roles, '{}'),
           coalesce(g.groups, '{}'), coalesce(g.attributes, '{}'), p_now, p_now
    from given g order by g.external_id
    on conflict do nothing
    returning external_id
  )
  select coalesce(array_agg(i.external_id), '{}') into added from inserted i;

  if cardinality(added) < jsonb_array_length(p_profiles) then
    perform from carillon.recipients r
    where r.tenant_id = p_tenant and r.external_id = any (array(select p ->> 'external_id' from jsonb_array_elements(p_profiles) p))
    order by r.external_id for update;
    with next as (
      select n.*, r.enabled and not n.enabled as goes_off
      from jsonb_array_elements(p_profiles) p
      join carillon.recipients r on r.tenant_id = p_tenant and r.external_id = p ->> 'external_id'
      cross join lateral jsonb_populate_record(r, p) n
      where p ->> 'external_id' <> all (added)
        and (r.name, r.locale, r.timezone, r.enabled, r.roles, r.groups, r.attributes)
          is distinct from (n.name, n.locale, n.timezone, n.enabled, n.roles, n.groups, n.attributes)
    ), updated as (
      update carillon.recipients r
      set name = n.name, locale = n.locale, timezone = n.timezone, enabled = n.enabled, roles = n.roles, groups = n.groups,
          attributes = n.attributes, updated_at = p_now
      from next n where r.tenant_id = p_tenant and r.external_id = n.external_id
      returning r.external_id, n.goes_off
    )
    select array_agg(u.external_id), array_agg(u.external_id) filter (where u.goes_off) into changed, switched_off from updated u;
  end if;

  if p_profiles @? '$[*].contact_points' then
    -- Of two that are the same address, or the same device, the first.
    select array_agg(d.recipient_id), array_agg(d.channel), array_agg(d.address), array_agg(d.device_id), array_agg(d.verified),
           array_agg(d.position::smallint)
    into owners, media, addresses, devices, verdicts, places
    from (
      select distinct on (a.recipient_id, a.channel, coalesce(a.device_id, '-' || a.address), a.device_id is null) a.*
      from (
        select distinct on (p ->> 'external_id', c.channel, c.address)
               p ->> 'external_id' as recipient_id, c.channel, c.address, c.device_id, c.verified, c.position - 1 as position
        from jsonb_array_elements(p_profiles) p
        cross join lateral rows from (
          jsonb_to_recordset(p -> 'contact_points') as (channel carillon.channel, address text, device_id text, verified boolean)
        ) with ordinality c (channel, address, device_id, verified, position)
        order by p ->> 'external_id', c.channel, c.address, c.position
      ) a
      order by a.recipient_id, a.channel, coalesce(a.device_id, '-' || a.address), a.device_id is null, a.position
    ) d;
    with gone as (
      delete from carillon.contact_points c
      using jsonb_to_recordset(p_profiles) as o (external_id text, contact_points jsonb, contact_channels text[])
      where c.tenant_id = p_tenant and c.recipient_id = o.external_id and o.contact_points is not null
        and (o.contact_channels is null or c.channel::text = any (o.contact_channels))
        and not exists (
          select from unnest(owners, media, addresses, devices) p (recipient_id, channel, address, device_id)
          where p.recipient_id = c.recipient_id and p.channel = c.channel and p.address = c.address
            and coalesce(p.device_id = c.device_id, true))
      returning c.recipient_id
    )
    select array_agg(distinct g.recipient_id) into moved from gone g;
    -- A device that is told for an address that had none takes it from the address that has it.
    if array_remove(devices, null) <> '{}' then
      update carillon.contact_points c set device_id = null
      from unnest(owners, media, addresses, devices) p (recipient_id, channel, address, device_id)
      where c.tenant_id = p_tenant and c.recipient_id = p.recipient_id and c.channel = p.channel and c.device_id = p.device_id
        and c.address <> p.address;
    end if;
    with kept as (
      insert into carillon.contact_points as c (tenant_id, recipient_id, channel, address, position, device_id, verified_at, created_at)
      select p_tenant, p.recipient_id, p.channel, p.address, p.position, p.device_id, case when p.verified then p_now end, p_now
      from unnest(owners, media, addresses, devices, verdicts, places) p (recipient_id, channel, address, device_id, verified, position)
      where not exists (
        select from carillon.contact_points c
        where c.tenant_id = p_tenant and c.recipient_id = p.recipient_id and c.channel = p.channel and c.address = p.address
          and c.position = p.position and c.device_id is not distinct from coalesce(p.device_id, c.device_id)
          and (c.verified_at is not null or p.verified is not true))
      order by p.recipient_id, p.channel, p.address
      on conflict (tenant_id, recipient_id, channel, address) do update
        set position = excluded.position, device_id = coalesce(excluded.device_id, c.device_id),
            verified_at = coalesce(c.verified_at, excluded.verified_at)
      returning c.recipient_id
    )
    select moved || array_agg(distinct k.recipient_id) into moved from kept k;
    if false = any (verdicts) then
      with unverified as (
        update carillon.contact_points c set verified_at = null
        from unnest(owners, media, addresses, verdicts) p (recipient_id, channel, address, verified)
        where c.tenant_id = p_tenant and c.recipient_id = p.recipient_id and c.channel = p.channel and c.address = p.address
          and not p.verified and c.verified_at is not null
        returning c.recipient_id
      )
      select moved || array_agg(distinct u.recipient_id) into moved from unverified u;
    end if;
    moved := array(select distinct m from unnest(moved) m where m is not null and m <> all (added) and m <> all (coalesce(changed, '{}')));
    if moved <> '{}' then
      update carillon.recipients r set updated_at = p_now where r.tenant_id = p_tenant and r.external_id = any (moved);
    end if;
  end if;

  changed := coalesce(changed, '{}') || coalesce(moved, '{}');
  perform carillon.decide_again(p_tenant, added || changed, p_now);
  if switched_off is not null then
    perform carillon.stop_unsent(p_tenant, s, 'recipient_disabled', p_now) from unnest(switched_off) s;
  end if;
  return query select a, true from unnest(added) a union all select c, false from unnest(changed) c;
end
$$;
revoke execute on function carillon.write_recipients(uuid, jsonb, timestamptz) from public;
grant execute on function carillon.write_recipients(uuid, jsonb, timestamptz) to carillon_api, carillon_worker;
