-- Whether two requests with one idempotency key ask for the same: 128 bits over the payload and what stands beside it, by its hash. For
-- mistakes, not for enemies (both sides are one tenant's own), and so by Postgres' own hash, which reads jsonb as it lies.
create or replace function carillon.payload_hash(payload jsonb, beside bigint) returns bytea
  language sql immutable parallel safe
as $$
  select int8send(jsonb_hash_extended(payload, beside)) || int8send(jsonb_hash_extended(payload, ~ beside))
$$;

-- The hash of what stands beside an intent's payload.
create or replace function carillon.beside_hash(kind text, type text, priority smallint, category text, event_id text, scheduled_at timestamptz,
  expires_at timestamptz) returns bigint
  language sql immutable parallel safe
as $$
  select hash_record_extended(row(kind, type, priority, category, event_id, scheduled_at, expires_at), 0)
$$;

-- The day whose partition a key of now is written to, and the other day in the last hour before midnight.
create or replace function carillon.key_bucket(p_now timestamptz) returns date language sql immutable parallel safe
as $$ select (p_now at time zone 'UTC')::date $$;
create or replace function carillon.next_key_bucket(p_now timestamptz) returns date language sql stable parallel safe
as $$ select ((p_now + interval '1 hour') at time zone 'UTC')::date $$;
