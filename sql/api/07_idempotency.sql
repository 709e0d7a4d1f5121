-- Whether two requests with one idempotency key ask for the same. Of the text: Postgres' own hash of jsonb does not tell apart
-- {"a": {"b": 1}, "c": 2} and {"a": {"b": 1, "c": 2}}.
create or replace function carillon.payload_hash(kind text, type text, priority smallint, category text, event_id text,
  scheduled_at timestamptz, expires_at timestamptz, payload jsonb) returns bytea
  language sql stable parallel safe
as $$
  select sha256(convert_to(jsonb_build_array(kind, type, priority, category, event_id, scheduled_at, expires_at, payload)::text, 'UTF8'))
$$;

-- The day whose partition a key of now is written to, and the other day in the last hour before midnight.
create or replace function carillon.key_bucket(p_now timestamptz) returns date language sql immutable parallel safe
as $$ select (p_now at time zone 'UTC')::date $$;
create or replace function carillon.next_key_bucket(p_now timestamptz) returns date language sql stable parallel safe
as $$ select ((p_now + interval '1 hour') at time zone 'UTC')::date $$;
