import { type Kysely, sql } from 'kysely'

/**
 * Schema, roles and the functions that everything else leans on. The roles are NOLOGIN: connections log in as whoever
 * DATABASE_URL names and take a role on. They belong to the cluster, so they may be there already.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create schema if not exists carillon`.execute(db)
  await sql`
    do $$
    declare
      role_name text;
    begin
      foreach role_name in array array['carillon_api', 'carillon_worker', 'carillon_analyst', 'carillon_caller'] loop
        if not exists (select from pg_roles where rolname = role_name) then
          begin
            execute format('create role %I nologin', role_name);
          exception when duplicate_object or unique_violation then null; -- another database of this cluster was faster
          end;
        end if;
        -- From 16 on, whoever creates a role is its member without the right to act as it.
        if current_setting('server_version_num')::int >= 160000 then
          if not pg_has_role(current_user, role_name, 'SET') then
            execute format('grant %I to current_user', role_name);
          end if;
        elsif not pg_has_role(current_user, role_name, 'member') then
          execute format('grant %I to current_user', role_name);
        end if;
      end loop;
    end
    $$`.execute(db)
  await sql`revoke all on schema carillon from public`.execute(db)
  await sql`grant usage on schema carillon to carillon_api, carillon_worker, carillon_analyst, carillon_caller`.execute(
    db,
  )
  await sql`create type carillon.channel as enum
    ('email', 'sms', 'voice', 'push', 'browser_push', 'slack', 'telegram', 'discord', 'webhook', 'pagerduty', 'in_app', 'audit')`.execute(
    db,
  )
  await sql`create type carillon.delivery_state as enum
    ('queued', 'held', 'sending', 'retrying', 'sent', 'delivered', 'failed', 'bounced', 'cancelled', 'suppressed', 'expired')`.execute(
    db,
  )

  await sql`
    create table carillon.tenants (
      id uuid primary key,
      name text not null,
      created_at timestamptz not null,
      constraint name_not_empty check (name <> '')
    )`.execute(db)

  // Which tenants a database login of an analyst or of a caller of carillon.notify may act for.
  await sql`
    create table carillon.role_bindings (
      tenant_id uuid not null,
      role_name name not null,
      created_at timestamptz not null,
      primary key (tenant_id, role_name)
    )`.execute(db)

  // The tenants this session may see. A login that may take on the API's or the worker's role says so itself, by
  // carillon.tenant_id (one id, or several with commas); any other login sees what role_bindings grants it, and may
  // only narrow that. security definer, because nobody else reads role_bindings.
  await sql`
    create function carillon.current_tenants() returns uuid[]
      language plpgsql stable security definer set search_path = pg_catalog, pg_temp
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
  await sql`grant execute on function carillon.current_tenants() to carillon_api, carillon_worker, carillon_analyst`.execute(
    db,
  )

  // The id scheme of src/domain/ids.ts, for SQL.
  await sql`
    create function carillon.first_id_at(at timestamptz) returns uuid language sql immutable parallel safe
    as $$
      select (substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7000-8000-000000000000')::uuid
      from (select lpad(to_hex(greatest(0, floor(extract(epoch from at) * 1000))::bigint), 12, '0') as hex) as ms
    $$`.execute(db)
  await sql`
    create function carillon.id_time(id uuid) returns timestamptz language sql immutable parallel safe
    as $$
      select to_timestamp((('x' || lpad(substr(replace(id::text, '-', ''), 1, 12), 16, '0'))::bit(64)::bigint)::numeric / 1000)
    $$`.execute(db)
  await sql`
    create function carillon.new_intent_id(at timestamptz) returns uuid language sql volatile
    as $$
      select (substr(hex, 1, 8) || '-' || substr(hex, 9, 4) || '-7' || substr(random, 1, 3) || '-' ||
              substr('89ab', 1 + (get_byte(uuid_send(gen_random_uuid()), 0) & 3), 1) || substr(random, 4, 3) || '-' ||
              substr(random, 7, 4) || '00000000')::uuid
      from (select lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0') as hex,
                   replace(gen_random_uuid()::text, '-', '') as random) as parts
    $$`.execute(db)
  await sql`
    create function carillon.new_id(at timestamptz) returns uuid language sql volatile
    as $$
      select (left(carillon.new_intent_id(at)::text, 28) || substr(replace(gen_random_uuid()::text, '-', ''), 1, 8))::uuid
    $$`.execute(db)
  await sql`
    create function carillon.intent_id_of(id uuid) returns uuid language sql immutable parallel safe
    as $$ select (left(id::text, 28) || '00000000')::uuid $$`.execute(db)
  await sql`
    create function carillon.notification_id_of(id uuid) returns uuid language sql immutable parallel safe
    as $$ select (left(id::text, 34) || '00')::uuid $$`.execute(db)
  await sql`
    create function carillon.notification_id(intent_id uuid, ordinal int) returns uuid language sql immutable parallel safe
    as $$ select (left(intent_id::text, 28) || lpad(to_hex(ordinal), 6, '0') || '00')::uuid $$`.execute(db)
  await sql`
    create function carillon.last_id_of(id uuid) returns uuid language sql immutable parallel safe
    as $$
      select (case when right(id::text, 8) = '00000000' then left(id::text, 28) || 'ffffffff'
                   else left(id::text, 34) || 'ff' end)::uuid
    $$`.execute(db)
  await sql`grant execute on function carillon.first_id_at(timestamptz), carillon.id_time(uuid), carillon.intent_id_of(uuid),
      carillon.notification_id_of(uuid), carillon.notification_id(uuid, int), carillon.last_id_of(uuid)
    to carillon_api, carillon_worker, carillon_analyst`.execute(db)
  await sql`grant execute on function carillon.new_id(timestamptz), carillon.new_intent_id(timestamptz) to carillon_api, carillon_worker`.execute(
    db,
  )
}
