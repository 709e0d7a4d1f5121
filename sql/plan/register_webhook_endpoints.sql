-- Give webhook addresses that nobody registered an endpoint with a secret of its own: $1 tenant, $2 [{id, url, secret}], $3 now.
-- Called by: pipeline/plan/plan-notifications.ts. Index: webhook_endpoints_url.
insert into carillon.webhook_endpoints (tenant_id, id, url, secrets, created_at)
select $1::uuid, r.id, r.url, array[r.secret], $3::timestamptz
from json_to_recordset($2::json) as r (id uuid, url text, secret text)
where not exists (select from carillon.webhook_endpoints e where e.tenant_id = $1::uuid and e.url = r.url)
order by r.url
on conflict do nothing
