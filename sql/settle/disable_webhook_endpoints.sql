-- Switch off endpoints that said they are gone: $1 tenant, $2 ids, $3 now.
-- Called by: pipeline/settle/settle-attempts.ts. Index: webhook_endpoints_pkey.
update carillon.webhook_endpoints e
set disabled_at = $3::timestamptz, disabled_reason = 'gone'
where e.tenant_id = $1::uuid and e.id = any ($2::uuid[]) and e.disabled_at is null
