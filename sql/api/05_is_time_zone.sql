-- Whether Postgres knows an IANA time zone by this name. Looking it up in pg_timezone_names would read every zone's file.
create or replace function carillon.is_time_zone(p_name text) returns boolean
  language plpgsql stable
as $$
begin
  -- Postgres would also take POSIX rules such as 'foo+3'.
  if p_name !~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' then
    return false;
  end if;
  perform now() at time zone p_name;
  return true;
exception when invalid_parameter_value then
  return false;
end
$$;
