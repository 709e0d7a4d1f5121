-- Whether two requests with one idempotency key ask for the same: 128 bits over the payload and what stands beside it, by its hash. For
-- mistakes, not for enemies (both sides are one tenant's own), and so by Postgres' own hash, which reads jsonb as it lies.
create or replace function carillon.payload_hash(payload jsonb, beside bigint) returns bytea
  language sql immutable parallel safe
as $$
  select int8send(jsonb_hash_extended(payload, beside)) || int8send(jsonb_hash_extended(payload, ~ beside))
$$;
