-- Deletes recipients with their contact points and preferences, and withdraws what they had agreed to: whoever comes under the same id
-- later has agreed to nothing. The words themselves stay, as proof. What was planned and is not sent is suppressed.
-- Returns those that were there. Called by: store/recipients.ts, for a session that acts for the tenant; carillon.delete_recipient. Locks: the recipients, in order.
create or replace function carillon.delete_recipients(p_tenant uuid, p_ids text[], p_by text, p_now timestamptz) returns setof text
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  gone text[];
begin
  with locked as materialized (
    select r.external_id from carillon.recipients r
    where r.tenant_id = p_tenant and r.external_id = any (p_ids)
    order by r.external_id for update
  ), deleted as (
    delete from carillon.recipients r
    where r.tenant_id = p_tenant and r.external_id = any (array(select l.external_id from locked l))
    returning r.external_id
  )
  select coalesce(array_agg(d.external_id), '{}') into gone from deleted d;
  if gone = '{}' then
    return;
  end if;
  delete from carillon.contact_points c where c.tenant_id = p_tenant and c.recipient_id = any (gone);
  delete from carillon.preferences p where p.tenant_id = p_tenant and p.recipient_id = any (gone);
  perform carillon.add_consent(p_tenant, c.recipient_id, c.category, false, p_by, null, null, null, p_now)
  from (
    select distinct on (c.recipient_id, c.category) c.recipient_id, c.category, c.granted
    from carillon.consents c
    where c.tenant_id = p_tenant and c.recipient_id = any (gone)
    order by c.recipient_id, c.category, c.at desc
  ) c
  where c.granted;
  perform carillon.stop_unsent(p_tenant, g, 'recipient_disabled', p_now) from unnest(gone) g;
  perform carillon.decide_again(p_tenant, gone, p_now);
  return query select unnest(gone);
end
$$;

-- carillon.delete_recipient: for your own transaction. Returns whether there was one. tenant: only for a login bound to several.
create or replace function carillon.delete_recipient(recipient text, tenant uuid default null) returns boolean
  language plpgsql volatile security definer set search_path = pg_catalog, pg_temp
as $$
begin
  tenant := carillon.acting_tenant('carillon.delete_recipient', tenant);
  perform carillon.delete_recipients(tenant, array[recipient], 'deleted by sql:' || session_user, clock_timestamp());
  return found;
end
$$;
revoke execute on function carillon.delete_recipients(uuid, text[], text, timestamptz) from public;
grant execute on function carillon.delete_recipients(uuid, text[], text, timestamptz) to carillon_api;
grant execute on function carillon.delete_recipient(text, uuid) to carillon_caller, carillon_api;
