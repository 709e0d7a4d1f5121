import { type Kysely, sql } from 'kysely'

/**
 * What carillon.notify has asked for, until a worker takes it: see docs/decisions/asked-then-taken.md. By transaction, so that
 * a taker looks only at what it cannot have seen before, however many dead rows lie between. Emptied all day long, so vacuumed
 * by number and not by share.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.asked (
      tenant_id uuid not null,
      id uuid not null,
      xid xid8 not null default pg_current_xact_id(),
      priority smallint not null,
      start_after timestamptz,
      primary key (priority, xid, tenant_id, id)
    ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
            autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000000)`.execute(db)
  await sql`alter table carillon.asked enable row level security`.execute(db)
  await sql`create policy tenant_only on carillon.asked to carillon_api, carillon_analyst
    using (tenant_id = any ((select carillon.current_tenants())::uuid[]))
    with check (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
  await sql`create policy every_tenant on carillon.asked to carillon_worker using (true) with check (true)`.execute(db)
  await sql`grant select, insert, delete on carillon.asked to carillon_worker`.execute(db)
  await sql`grant select on carillon.asked to carillon_api`.execute(db)
}
