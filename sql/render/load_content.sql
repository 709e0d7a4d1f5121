-- What the deliveries of a chunk say: $1 tenant, $2 notification ids, $3 intent ids, $4 least id, $5 greatest id, $6 webhook URLs,
-- $7 ids of webhook endpoints.
-- Called by: pipeline/render/load-content.ts. Index: notifications_pkey, intents_pkey, webhook_endpoints_url, webhook_endpoints_pkey.
-- $4 is the least intent id and $5 the greatest notification id: a story is one range.
select 'notification' as kind, n.id, json_build_object(
         'recipient_id', n.recipient_id, 'recipient_name', n.recipient_name, 'locale', n.locale, 'timezone', n.timezone,
         'type', n.type, 'category', n.category, 'template', n.template, 'vars', case when n.rule_id is not null then coalesce(n.vars, '{}') end, 'has_fallback', n.has_fallback, 'expires_at', n.expires_at,
         'correlation_id', n.correlation_id, 'traceparent', n.traceparent, 'created_at', n.created_at) as content,
       null as idempotency_key
from carillon.notifications n
where n.tenant_id = $1::uuid and n.id = any ($2::uuid[]) and n.id between $4::uuid and $5::uuid
union all
select 'intent', i.id, (i.payload - 'recipients')::json, i.idempotency_key
from carillon.intents i
where i.tenant_id = $1::uuid and i.id = any ($3::uuid[]) and i.id between $4::uuid and $5::uuid
union all
select 'endpoint', e.id, json_build_object('url', e.url, 'secrets', e.secrets, 'disabled', e.disabled_at is not null), null
from carillon.webhook_endpoints e
where e.tenant_id = $1::uuid and e.url = any ($6::text[])
union all
select 'endpoint', e.id, json_build_object('url', e.url, 'secrets', e.secrets, 'disabled', e.disabled_at is not null), null
from carillon.webhook_endpoints e
where e.tenant_id = $1::uuid and e.id = any ($7::uuid[])
