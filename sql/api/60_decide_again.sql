-- What waits for these recipients (snoozed deliveries) is decided anew at once: call it when something changed that decisions
-- are made of, in the transaction of the change; and what collects in digests is looked at again. null: for all of the tenant. Returns how
-- many. Row-level security says whose
-- rows they may be.
-- Called by: change_preferences, consents and suppressions, and whoever changes a recipient's zone. Index: snoozes_recipient.
-- Locks: the rows, in id order; a sweeper passes them over. What one has taken of these recipients is waited for, though it is due: by what
-- was said before it may just be sent on its way, and whoever stops what is on its way has to see it (stop_unsent).
create or replace function carillon.decide_again(p_tenant uuid, p_recipients text[], p_now timestamptz) returns bigint
  language plpgsql volatile set search_path = pg_catalog, pg_temp
as $$
declare
  moved bigint;
begin
  perform carillon.retime_digests(p_tenant, p_recipients);
  if p_recipients is null then
    with waiting as (
      select s.delivery_id from carillon.snoozes s where s.tenant_id = p_tenant and s.until > p_now order by s.delivery_id for update
    )
    update carillon.snoozes s set until = p_now from waiting w where s.tenant_id = p_tenant and s.delivery_id = w.delivery_id;
  else -- the due ones, too: else they would not be locked
    with waiting as (
      select s.delivery_id from carillon.snoozes s
      where s.tenant_id = p_tenant and s.recipient_id = any (p_recipients) order by s.delivery_id for update
    )
    update carillon.snoozes s set until = least(s.until, p_now) from waiting w
    where s.tenant_id = p_tenant and s.delivery_id = w.delivery_id;
  end if;
  get diagnostics moved = row_count;
  return moved;
end
$$;
grant execute on function carillon.decide_again(uuid, text[], timestamptz) to carillon_api, carillon_worker;
