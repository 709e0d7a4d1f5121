import { type Kysely, sql } from 'kysely'

const hashPartitions = 4

/** What holds alerts back (silences, inhibitions and what is open for them), and what is sent again and again (schedules). */
export async function up(db: Kysely<unknown>): Promise<void> {
  // One that is over stays listed. With a recurrence it is a maintenance window: it holds for `duration_ms` from each occurrence.
  await sql`
    create table carillon.silences (
      tenant_id uuid not null,
      id uuid not null,
      matcher text not null,
      starts_at timestamptz not null,
      ends_at timestamptz,
      recurrence jsonb,
      duration_ms bigint,
      author text not null,
      comment text not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, id),
      constraint ends_after_it_starts check (ends_at >= starts_at),
      constraint ends_or_comes_again check (ends_at is not null or recurrence is not null),
      constraint duration_iff_recurrence check ((recurrence is null) = (duration_ms is null)),
      constraint duration_positive check (duration_ms > 0)
    ) partition by hash (tenant_id)`.execute(db)

  // source, target, resolved, alert and each of "equal" are CEL over the event.
  await sql`
    create table carillon.inhibitions (
      tenant_id uuid not null,
      id uuid not null,
      name text not null,
      source text not null,
      target text not null,
      equal text[] not null,
      resolved text,
      alert text,
      open_for_ms bigint,
      enabled boolean not null,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, id),
      constraint inhibitions_name unique (tenant_id, name),
      constraint open_for_positive check (open_for_ms > 0)
    ) partition by hash (tenant_id)`.execute(db)

  // Of each alert the event that opened it, the last one that said it is open, and the last one that said it is over, by their
  // intents' ids: whichever comes last in the order of ids counts, in whatever order they are processed, and however often.
  await sql`
    create table carillon.open_alerts (
      tenant_id uuid not null,
      inhibition_id uuid not null,
      key text not null,
      alert text not null,
      opened_by uuid,
      fired_by uuid,
      closed_by uuid,
      event_id text,
      opened_at timestamptz,
      expires_at timestamptz,
      noted_at timestamptz not null,
      primary key (tenant_id, inhibition_id, key, alert),
      constraint opened_iff_fired check (num_nulls(opened_by, fired_by, opened_at) in (0, 3)),
      constraint fired_or_closed check (num_nonnulls(fired_by, closed_by) > 0)
    ) partition by hash (tenant_id)`.execute(db)
  await sql`create index open_alerts_noted on carillon.open_alerts (noted_at)`.execute(db)

  await sql`
    create table carillon.schedules (
      tenant_id uuid not null,
      id uuid not null,
      name text not null,
      kind text not null,
      request jsonb not null,
      recurrence jsonb not null,
      starts_at timestamptz not null,
      ends_at timestamptz,
      expires_after_ms bigint,
      enabled boolean not null,
      next_at timestamptz,
      last_occurrence timestamptz,
      last_run_at timestamptz,
      last_intent_id uuid,
      last_error text,
      runs int not null default 0,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, id),
      constraint schedules_name unique (tenant_id, name),
      constraint kind_known check (kind in ('direct', 'event')),
      constraint ends_after_it_starts check (ends_at > starts_at),
      constraint expires_after_positive check (expires_after_ms > 0)
    ) partition by hash (tenant_id)`.execute(db)

  const tables = ['silences', 'inhibitions', 'open_alerts', 'schedules']
  for (const table of tables) {
    for (let remainder = 0; remainder < hashPartitions; remainder++) {
      await sql`create table ${sql.table(`carillon.${table}_h${remainder}`)} partition of ${sql.table(`carillon.${table}`)}
        for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)})`.execute(db)
    }
  }
  await sql`create index schedules_due on carillon.schedules (next_at) where enabled and next_at is not null`.execute(
    db,
  )

  for (const table of tables) {
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
    await sql`grant select on ${name} to carillon_api`.execute(db)
  }
  await sql`grant insert, update on carillon.silences, carillon.inhibitions, carillon.schedules to carillon_api`.execute(
    db,
  )
  await sql`grant delete on carillon.inhibitions, carillon.open_alerts, carillon.schedules to carillon_api`.execute(db)
  await sql`grant select on carillon.silences, carillon.inhibitions, carillon.open_alerts to carillon_analyst`.execute(
    db,
  )
  await sql`grant select (tenant_id, id, name, kind, recurrence, starts_at, ends_at, enabled, next_at, last_occurrence, last_run_at,
      last_intent_id, runs, created_at, updated_at) on carillon.schedules to carillon_analyst`.execute(db)

  await sql`select carillon.watch_settings('silences')`.execute(db)
  await sql`select carillon.watch_settings('inhibitions')`.execute(db)
}
