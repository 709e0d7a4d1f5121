-- For which tenant a function of applications acts: the one named, which must be the login's, or its only one.
create or replace function carillon.acting_tenant(p_function text, p_named uuid) returns uuid
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
declare
  allowed uuid[] := carillon.session_tenants();
begin
  if p_named is null and cardinality(allowed) > 1 then
    raise exception '%: tenant this login acts for several tenants; name one', p_function
      using errcode = 'invalid_parameter_value', column = 'tenant';
  end if;
  p_named := coalesce(p_named, allowed[1]);
  if p_named is null or p_named <> all (allowed) then
    raise exception '%: this login may not act for that tenant', p_function
      using errcode = 'insufficient_privilege', column = 'tenant';
  end if;
  return p_named;
end
$$;

-- Refuses an argument of a function of applications, as carillon.notify does.
create or replace function carillon.refuse_argument(p_function text, p_field text, p_fault text) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '%: % %', p_function, p_field, p_fault using errcode = 'invalid_parameter_value', column = p_field;
end
$$;

-- Refuses what is no id of a recipient.
create or replace function carillon.check_recipient(p_function text, p_recipient text) returns void
  language plpgsql stable set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(length(p_recipient), 0) not between 1 and 255 or octet_length(p_recipient) > 1024 or p_recipient ~ '[\r\n]' then
    perform carillon.refuse_argument(p_function, 'recipient', 'must be an id of 1 to 255 characters in one line');
  end if;
end
$$;
grant execute on function carillon.acting_tenant(text, uuid), carillon.refuse_argument(text, text, text),
  carillon.check_recipient(text, text) to carillon_api;
