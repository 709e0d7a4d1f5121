-- What the gates have decided, one decision of one notification a row: verdicts, the values that they compared, versions. A delivery
-- that waited is decided again, and then has a line for each time. Nothing is kept where no gate had anything to look at.
-- line: see docs/explain.md. batch: what was decided together; the status events that it led to are of the same batch.
-- Looking for one notification, or for those of an intent: carillon.decisions_of(id), which has an index; a condition on id here reads
-- everything.
create or replace view carillon.decision_log with (security_invoker = true) as
  select b.tenant_id, (l.line ->> 'id')::uuid as id, b.at, b.id as batch, l.line
  from carillon.decision_batches b cross join lateral json_array_elements(b.lines) as l (line);
grant select on carillon.decision_log to carillon_api, carillon_worker;

create or replace function carillon.decisions_of(p_id uuid)
  returns table (tenant_id uuid, id uuid, at timestamptz, batch uuid, line json)
  language sql stable
as $$
  select b.tenant_id, (l.line ->> 'id')::uuid, b.at, b.id, l.line
  from carillon.decision_batches b cross join lateral json_array_elements(b.lines) as l (line)
  where b.id >= carillon.first_id_at(carillon.id_time(p_id) - interval '1 minute')
    and b.first_id <= carillon.last_id_of(p_id) and b.last_id >= p_id
    and (l.line ->> 'id')::uuid between p_id and carillon.last_id_of(p_id)
  order by b.at, b.id
$$;
grant execute on function carillon.decisions_of(uuid) to carillon_api, carillon_worker;
