import { type Kysely, sql } from 'kysely'

/**
 * The rule of carillon.current_tenants for functions that run with their owner's rights already: changing the user and the
 * search_path costs as much as the rule itself. Nobody else may call it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function carillon.session_tenants() returns uuid[]
      language plpgsql stable
    as $$
    declare
      named uuid[] := string_to_array(nullif(current_setting('carillon.tenant_id', true), ''), ',')::uuid[];
      bound uuid[];
    begin
      if pg_has_role(session_user, 'carillon_api', 'member') or pg_has_role(session_user, 'carillon_worker', 'member') then
        return coalesce(named, '{}');
      end if;
      bound := array(select tenant_id from carillon.role_bindings where role_name = session_user);
      if named is null then
        return bound;
      end if;
      return array(select unnest(named) intersect select unnest(bound));
    end
    $$`.execute(db)
  await sql`revoke execute on function carillon.session_tenants() from public`.execute(db)
  await sql`
    create or replace function carillon.current_tenants() returns uuid[]
      language plpgsql stable security definer set search_path = pg_catalog, pg_temp
    as $$
    begin
      return carillon.session_tenants();
    end
    $$`.execute(db)
}
