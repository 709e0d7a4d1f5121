import { type Kysely, sql } from 'kysely'

const hashPartitions = 4

/**
 * Rules as they stand, every version that ever stood (what was decided by one can be told years later), and how their
 * expressions fail. Faults are apart, since each change of `rules` makes every process read them anew.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.rules (
      tenant_id uuid not null,
      id uuid not null,
      name text not null,
      version int not null default 1,
      definition jsonb not null,
      enabled boolean not null,
      disabled_reason text,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      updated_by text not null,
      primary key (tenant_id, id),
      unique (tenant_id, name),
      constraint name_not_empty check (name <> ''),
      constraint version_positive check (version > 0),
      constraint definition_is_object check (jsonb_typeof(definition) = 'object'),
      constraint disabled_reason_known check (disabled_reason in ('switched_off', 'failing')),
      constraint disabled_reason_iff_disabled check (enabled = (disabled_reason is null))
    ) partition by hash (tenant_id)`.execute(db)

  await sql`
    create table carillon.rule_versions (
      tenant_id uuid not null,
      rule_id uuid not null,
      version int not null,
      name text not null,
      definition jsonb not null,
      enabled boolean not null,
      valid_from timestamptz not null,
      valid_to timestamptz,
      changed_by text not null,
      primary key (tenant_id, rule_id, version),
      constraint valid_in_order check (valid_to >= valid_from)
    ) partition by hash (tenant_id)`.execute(db)
  await sql`create index rule_versions_time on carillon.rule_versions (tenant_id, valid_from)`.execute(db)

  await sql`
    create table carillon.rule_faults (
      tenant_id uuid not null,
      rule_id uuid not null,
      streak int not null,
      total bigint not null,
      last_at timestamptz not null,
      last_code text not null,
      last_part text not null,
      last_message text not null,
      last_intent_id uuid not null,
      primary key (tenant_id, rule_id),
      constraint streak_not_negative check (streak >= 0)
    ) partition by hash (tenant_id)`.execute(db)

  for (const table of ['rules', 'rule_versions', 'rule_faults']) {
    for (let remainder = 0; remainder < hashPartitions; remainder++) {
      await sql`create table ${sql.table(`carillon.${table}_h${remainder}`)} partition of ${sql.table(`carillon.${table}`)}
        for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)})`.execute(db)
    }
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
  }
  // A definition may hold addresses.
  await sql`grant select (tenant_id, id, name, version, enabled, disabled_reason, created_at, updated_at) on carillon.rules to carillon_analyst`.execute(
    db,
  )
  await sql`grant select (tenant_id, rule_id, version, name, enabled, valid_from, valid_to) on carillon.rule_versions to carillon_analyst`.execute(
    db,
  )
  await sql`grant select on carillon.rule_faults to carillon_analyst`.execute(db)
  await sql`grant select, insert, update, delete on carillon.rules to carillon_api`.execute(db)
  await sql`grant select, insert, update on carillon.rule_versions to carillon_api`.execute(db)
  await sql`grant select, delete on carillon.rule_faults to carillon_api`.execute(db)
  await sql`select carillon.watch_settings('rules')`.execute(db)
}
