-- The audit log, one notification a row: what was asked for, of whom, and what was decided. at: when it was planned.
-- Looking for one notification, or for those of an intent: carillon.audit_of(id), which has an index; a condition on id here reads everything.
create or replace view carillon.audit_log with (security_invoker = true) as
  select b.tenant_id, (l.line ->> 'notification_id')::uuid as id, b.at, l.line
  from carillon.audit_batches b cross join lateral json_array_elements(b.lines) as l (line);
grant select on carillon.audit_log to carillon_api, carillon_worker;

create or replace function carillon.audit_of(p_id uuid) returns table (tenant_id uuid, id uuid, at timestamptz, line json)
  language sql stable
as $$
  select b.tenant_id, (l.line ->> 'notification_id')::uuid, b.at, l.line
  from carillon.audit_batches b cross join lateral json_array_elements(b.lines) as l (line)
  where b.id >= carillon.first_id_at(carillon.id_time(p_id) - interval '1 minute')
    and b.first_id <= carillon.last_id_of(p_id) and b.last_id >= p_id
    and (l.line ->> 'notification_id')::uuid between p_id and carillon.last_id_of(p_id)
  order by b.at, b.id
$$;
grant execute on function carillon.audit_of(uuid) to carillon_api, carillon_worker;
