-- Have the digests of these recipients that collect looked at again, because their zone or their preferences have changed: in the
-- transaction of the change. null: of all of the tenant. Row-level security says whose rows they may be.
-- Called by: carillon.decide_again. Index: digests_recipient. Locks: the digests, in the order in which folding locks them.
create or replace function carillon.retime_digests(p_tenant uuid, p_recipients text[]) returns void
  language sql volatile set search_path = pg_catalog, pg_temp
as $$
  with waiting as (
    select d.id from carillon.digests d
    where d.tenant_id = p_tenant and (p_recipients is null or d.recipient_id = any (p_recipients)) and d.state = 'open' and not d.retime
    order by d.recipient_id, d.key for update
  )
  update carillon.digests d set retime = true from waiting w where d.tenant_id = p_tenant and d.id = w.id
$$;
grant execute on function carillon.retime_digests(uuid, text[]) to carillon_api, carillon_worker;
