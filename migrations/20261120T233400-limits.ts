import { type Kysely, sql } from 'kysely'

const hashPartitions = 4

/**
 * How much may be sent: a tenant's own limits, those that the operator has set, and what was sent under them. The counts of
 * a recipient, of a tenant ('') or of the installation (the nil tenant's '') are one row, whatever the number of limits and
 * sends: it is locked, read and written as a whole.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const fields = sql`
      name text not null,
      scope text not null,
      category text,
      channel carillon.channel,
      max int not null,
      window_seconds int,
      calendar text,
      on_excess text,
      allow_critical boolean not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      constraint name_not_empty check (name <> ''),
      constraint max_positive check (max > 0),
      constraint window_or_calendar check (num_nonnulls(window_seconds, calendar) = 1),
      constraint window_positive check (window_seconds > 0),
      constraint calendar_known check (calendar in ('day', 'month')),
      constraint on_excess_known check (on_excess in ('snooze', 'suppress'))`

  await sql`
    create table carillon.limits (
      tenant_id uuid not null,
      id uuid not null,
      ${fields},
      primary key (tenant_id, id),
      unique (tenant_id, name),
      constraint scope_known check (scope in ('user', 'tenant'))
    ) partition by hash (tenant_id)`.execute(db)
  await sql`
    create table carillon.limit_counters (
      tenant_id uuid not null,
      subject text collate "C" not null,
      counts text not null,
      idle_at timestamptz not null,
      primary key (tenant_id, subject)
    ) partition by hash (tenant_id)`.execute(db)
  for (const [table, storage] of [
    ['limits', ''],
    ['limit_counters', 'with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05)'],
  ] as const) {
    for (let remainder = 0; remainder < hashPartitions; remainder++) {
      await sql`create table ${sql.table(`carillon.${table}_h${remainder}`)} partition of ${sql.table(`carillon.${table}`)}
        for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)}) ${sql.raw(storage)}`.execute(
        db,
      )
    }
  }
  // Of the operator: a tenant sees those that concern it, and changes none.
  await sql`
    create table carillon.system_limits (
      id uuid not null primary key,
      tenant_id uuid,
      ${fields},
      constraint name_unique unique (name),
      constraint scope_known check (scope in ('user', 'tenant', 'system')),
      constraint system_is_every_tenant check (scope <> 'system' or tenant_id is null)
    )`.execute(db)

  for (const table of ['limits', 'limit_counters']) {
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
  }
  await sql`grant select, insert, update, delete on carillon.limits to carillon_api`.execute(db)
  await sql`grant select on carillon.limit_counters to carillon_api`.execute(db)

  await sql`alter table carillon.system_limits enable row level security`.execute(db)
  await sql`create policy concerned on carillon.system_limits for select to carillon_api
    using (tenant_id is null or tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
  await sql`create policy every_tenant on carillon.system_limits to carillon_worker using (true) with check (true)`.execute(
    db,
  )
  await sql`grant select, insert, update, delete on carillon.system_limits to carillon_worker`.execute(db)
  await sql`grant select on carillon.system_limits to carillon_api`.execute(db)

  await sql`select carillon.watch_settings('limits')`.execute(db)
  // What holds for everybody is a setting of each tenant, for whoever keeps the settings of tenants in memory.
  await sql`
    create function carillon.bump_every_tenant() returns trigger
      language plpgsql security definer set search_path = pg_catalog, pg_temp
    as $$
    begin
      insert into carillon.settings_versions as v (tenant_id, version)
      select t.id, 1 from carillon.tenants t order by t.id
      on conflict (tenant_id) do update set version = v.version + 1;
      return null;
    end
    $$`.execute(db)
  await sql`revoke execute on function carillon.bump_every_tenant() from public`.execute(db)
  await sql`create trigger settings_changed after insert or update or delete on carillon.system_limits
    for each statement execute function carillon.bump_every_tenant()`.execute(db)
}
