-- Pages of audiences: whom selectors name, by id, role or group, each person once, in order of the external id.
-- $1 tenant, $2 a JSON array of {users: [], sets: [{kind, name}], after, limit}; the answer is by their places in it, from 1.
-- Called by: pipeline/enrich/load-audience.ts. Index: members_pkey in order, at most a page of each role and group.
select a.place::int as place, p.recipient_id
from rows from (json_to_recordset($2::json) as (users json, sets json, after text, "limit" int)) with ordinality as a (users, sets, after, "limit", place)
cross join lateral (
  select distinct c.recipient_id
  from (
    select u.id as recipient_id
    from json_array_elements_text(a.users) u (id)
    where u.id > a.after
    union all
    select m.recipient_id
    from json_to_recordset(a.sets) s (kind text, name text)
    cross join lateral (
      select m.recipient_id
      from carillon.members m
      where m.tenant_id = $1::uuid and m.kind = s.kind and m.name = s.name and m.recipient_id > a.after
      order by m.recipient_id
      limit a."limit"
    ) m
  ) c
  order by c.recipient_id
  limit a."limit"
) p
order by a.place, p.recipient_id
