import { type Kysely, sql } from 'kysely'

/**
 * What waits in digests and in groups of alerts. A digest collects while it is `open`: one for each recipient and key. `full`
 * it collects no more, and waits to be closed. Closing takes its members away, and leaves a row that says what became of them.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.digests (
      tenant_id uuid not null,
      id uuid not null,
      recipient_id text not null,
      recipient jsonb not null,
      key text not null,
      kind text not null,
      state text not null default 'open',
      policy jsonb not null,
      timezone text,
      opened_at timestamptz not null,
      closes_at timestamptz not null,
      longest_at timestamptz,
      size int not null,
      count int not null,
      retime boolean not null default false,
      flushed_at timestamptz,
      close_reason text,
      closed_at timestamptz,
      folded int,
      intent_id uuid,
      primary key (tenant_id, id),
      constraint kind_known check (kind in ('digest', 'group')),
      constraint state_known check (state in ('open', 'full', 'closed')),
      constraint closed_at_iff_closed check ((state = 'closed') = (closed_at is not null)),
      constraint reason_where_closed check (state <> 'closed' or close_reason is not null)
    ) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`.execute(db)
  await sql`create unique index digests_open on carillon.digests (tenant_id, recipient_id, key) where state = 'open'`.execute(
    db,
  )
  await sql`create index digests_due on carillon.digests (closes_at) where state <> 'closed'`.execute(db)
  await sql`create index digests_retime on carillon.digests (tenant_id, id) where retime`.execute(db)
  await sql`create index digests_recipient on carillon.digests (tenant_id, recipient_id, id)`.execute(db)
  await sql`create index digests_closed on carillon.digests (closed_at) where state = 'closed'`.execute(db)

  // An event is in a digest once, whichever notifications stand for it.
  await sql`
    create table carillon.digest_members (
      tenant_id uuid not null,
      digest_id uuid not null,
      event_ref text not null,
      notification_ids uuid[] not null,
      item jsonb not null,
      said jsonb not null,
      at timestamptz not null,
      resolved boolean not null default false,
      flushed_at timestamptz,
      primary key (tenant_id, digest_id, event_ref)
    ) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)`.execute(db)

  for (const table of ['digests', 'digest_members']) {
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy tenant_only on ${name} to carillon_api, carillon_analyst
      using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
      with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
    await sql`create policy every_tenant on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
    await sql`grant select on ${name} to carillon_api`.execute(db)
  }
  // Asking for a digest at once, and cancelling what waits in one.
  await sql`grant update (closes_at, close_reason, retime, count) on carillon.digests to carillon_api`.execute(db)
  await sql`grant update (notification_ids), delete on carillon.digest_members to carillon_api`.execute(db)
  await sql`grant select (tenant_id, id, recipient_id, key, kind, state, opened_at, closes_at, longest_at, size, count, flushed_at,
      close_reason, closed_at, folded, intent_id) on carillon.digests to carillon_analyst`.execute(db)
}
