-- The channels by name. Called immutable, so that plans hold the answer: it changes with migrations only, and they make this anew.
create or replace function carillon.channel_names() returns text[] language sql immutable parallel safe
as $$ select enum_range(null::carillon.channel)::text[] $$;
