-- Accept one direct intent: what carillon.accept_intents does, for the commonest case at a fraction of its cost. A key that is
-- met anywhere, however old, is carillon.accept_intents' to judge.
-- A fresh one is noted in carillon.asked, which a worker empties in sets: see 15_take_asked.sql. It is told of then.
-- Returns the intent's id, or the first one's; null: the key was used with another payload. The caller vouches for the tenant.
-- Called by: carillon.notify.
create or replace function carillon.accept_intent(
  p_now timestamptz, p_tenant uuid, p_type text, p_priority smallint, p_category text, p_key text, p_event_id text,
  p_correlation_id text, p_traceparent text, p_source text, p_scheduled_at timestamptz, p_expires_at timestamptz, p_payload jsonb
) returns uuid
  language plpgsql volatile
as $$
declare
  fresh_id uuid := carillon.new_intent_id(p_now); -- the intent's, and where its key is met as good for its batch of events and its job
  today date := carillon.key_bucket(p_now);
  hash bytea;
  is_new boolean := true;
  answer record;
begin
  if p_key is not null then
    hash := carillon.payload_hash('direct', p_type, p_priority, p_category, p_event_id, p_scheduled_at, p_expires_at, p_payload);
    insert into carillon.idempotency_keys (tenant_id, key, bucket, payload_hash, intent_id, created_at)
    select p_tenant, p_key, today, hash, fresh_id, p_now
    where not exists (select from carillon.idempotency_keys k where k.tenant_id = p_tenant and k.key = p_key and k.bucket < today)
    on conflict do nothing;
    is_new := found;
    if is_new and carillon.next_key_bucket(p_now) <> today then
      insert into carillon.idempotency_keys (tenant_id, key, bucket, payload_hash, intent_id, created_at)
      values (p_tenant, p_key, carillon.next_key_bucket(p_now), hash, fresh_id, p_now) on conflict do nothing;
      is_new := found;
    end if;
    if not is_new then
      -- With the same id, so that what was claimed above counts as its own.
      select * into answer from carillon.accept_intents(
        p_now => p_now, p_key_ttl => null, p_claimed => false, p_tenants => array[p_tenant], p_ids => array[fresh_id],
        p_kinds => array['direct'], p_types => array[p_type], p_priorities => array[p_priority], p_categories => array[p_category],
        p_keys => array[p_key], p_event_ids => array[p_event_id], p_correlation_ids => array[p_correlation_id],
        p_traceparents => array[p_traceparent], p_sources => array[p_source], p_scheduled_at => array[p_scheduled_at],
        p_expires_at => array[p_expires_at], p_recipients => array[1], p_jobs => array[fresh_id], p_payloads => jsonb_build_array(p_payload),
        p_events => json_build_array(json_build_object('tenant_id', p_tenant, 'id', fresh_id, 'events',
          json_strip_nulls(json_build_array(json_build_object('subject_id', fresh_id, 'type', 'notification.intent.received',
            'data', json_build_object('kind', 'direct', 'type', p_type, 'source', p_source, 'event_id', p_event_id, 'idempotency_key', p_key,
              'correlation_id', p_correlation_id, 'traceparent', p_traceparent)))))));
      return case when answer.status <> 'conflict' then answer.intent_id end;
    end if;
  end if;

  insert into carillon.intents (tenant_id, id, kind, type, priority, category, idempotency_key, event_id, correlation_id,
    traceparent, source, scheduled_at, expires_at, accepted_at, recipients, payload)
  values (p_tenant, fresh_id, 'direct', p_type, p_priority, p_category, p_key, p_event_id, p_correlation_id,
    p_traceparent, p_source, p_scheduled_at, p_expires_at, p_now, 1, p_payload);
  insert into carillon.asked (tenant_id, id, priority, start_after) values (p_tenant, fresh_id, p_priority, p_scheduled_at);
  return fresh_id;
end
$$;
