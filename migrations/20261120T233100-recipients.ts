import { type Kysely, sql } from 'kysely'

const hashPartitions = 4

/**
 * Recipients can be switched off, and addresses know their device. Who has a role or is in a group stands in a table of its
 * own, in order: a page of 600,000 members is a piece of an index, and a page of the three members of another role as well.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`set local lock_timeout = '10s'`.execute(db)
  await sql`alter table carillon.recipients add column enabled boolean not null default true`.execute(db)
  await sql`alter table carillon.contact_points add column device_id text`.execute(db)
  await sql`create unique index contact_points_device on carillon.contact_points (tenant_id, recipient_id, channel, device_id)
    where device_id is not null`.execute(db)

  await sql`
    create table carillon.members (
      tenant_id uuid not null,
      kind text not null,
      name text not null,
      recipient_id text not null,
      primary key (tenant_id, kind, name, recipient_id),
      constraint kind_known check (kind in ('role', 'group'))
    ) partition by hash (tenant_id)`.execute(db)
  for (let remainder = 0; remainder < hashPartitions; remainder++) {
    await sql`create table ${sql.table(`carillon.members_h${remainder}`)} partition of carillon.members
      for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)})`.execute(db)
  }
  await sql`alter table carillon.members enable row level security`.execute(db)
  await sql`create policy tenant_only on carillon.members to carillon_api
    using (tenant_id = any ((select carillon.current_tenants())::uuid[]))`.execute(db)
  await sql`create policy every_tenant on carillon.members to carillon_worker using (true)`.execute(db)
  // Only the triggers write it, with their owner's rights.
  await sql`grant select on carillon.members to carillon_api, carillon_worker`.execute(db)

  await sql`
    insert into carillon.members (tenant_id, kind, name, recipient_id)
    select distinct r.tenant_id, m.kind, m.name, r.external_id
    from carillon.recipients r
    cross join lateral (
      select 'role', unnest(r.roles) union all select 'group', unnest(r.groups)
    ) m (kind, name)
    where m.name is not null`.execute(db)

  // For each statement, not each row: a thousand recipients are one insert and one delete.
  const membersOf = (table: string) =>
    `select r.tenant_id, 'role', unnest(r.roles), r.external_id from ${table} r
     union select r.tenant_id, 'group', unnest(r.groups), r.external_id from ${table} r`
  const join = (except: string) => sql`
      insert into carillon.members (tenant_id, kind, name, recipient_id)
      select * from (${sql.raw(membersOf('after'))} ${sql.raw(except)}) m (tenant_id, kind, name, recipient_id)
      where m.name is not null
      on conflict do nothing;`
  const leave = (except: string) => sql`
      delete from carillon.members x
      using (${sql.raw(membersOf('before'))} ${sql.raw(except)}) m (tenant_id, kind, name, recipient_id)
      where x.tenant_id = m.tenant_id and x.kind = m.kind and x.name = m.name and x.recipient_id = m.recipient_id;`
  const bodies = {
    insert: join(''),
    update: sql`
      if not exists (
        select from before b full join after a using (tenant_id, external_id)
        where a.roles is distinct from b.roles or a.groups is distinct from b.groups
      ) then
        return null; -- as most updates are
      end if;
      ${leave(`except (${membersOf('after')})`)}
      ${join(`except (${membersOf('before')})`)}`,
    delete: leave(''),
    truncate: sql`truncate carillon.members;`,
  }
  const tables = {
    insert: 'referencing new table as after',
    update: 'referencing old table as before new table as after',
    delete: 'referencing old table as before',
    truncate: '',
  }
  for (const event of ['insert', 'update', 'delete', 'truncate'] as const) {
    const name = `carillon.keep_members_after_${event}`
    await sql`
      create function ${sql.raw(name)}() returns trigger
        language plpgsql security definer set search_path = pg_catalog, pg_temp
      as $$
      begin
        ${bodies[event]}
        return null;
      end
      $$`.execute(db)
    await sql`revoke execute on function ${sql.raw(name)}() from public`.execute(db)
    await sql`create trigger ${sql.raw(`members_${event}`)} after ${sql.raw(event)} on carillon.recipients
      ${sql.raw(tables[event])} for each statement execute function ${sql.raw(name)}()`.execute(db)
  }

  await sql`drop index carillon.recipients_roles, carillon.recipients_groups`.execute(db)
}
