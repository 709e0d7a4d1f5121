import { type Kysely, sql } from 'kysely'

const hashPartitions = 4

/**
 * The data key of each person whose addresses and content are published encrypted. It is wrapped by a key of the
 * configuration, so the table alone reads nothing; erasing it makes all that was published under it unreadable, and its row
 * remembers when, so that what happened before is not published again under a new key.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.subject_keys (
      tenant_id uuid not null,
      recipient_id text not null,
      key_id uuid,
      wrapped_key bytea,
      wrapped_by text,
      created_at timestamptz not null,
      erased_at timestamptz,
      primary key (tenant_id, recipient_id),
      constraint key_whole_or_erased check (num_nulls(key_id, wrapped_key, wrapped_by) in (0, 3)),
      constraint erased_if_no_key check (key_id is not null or erased_at is not null)
    ) partition by hash (tenant_id)`.execute(db)
  for (let remainder = 0; remainder < hashPartitions; remainder++) {
    await sql`create table ${sql.table(`carillon.subject_keys_h${remainder}`)} partition of carillon.subject_keys
      for values with (modulus ${sql.lit(hashPartitions)}, remainder ${sql.lit(remainder)})`.execute(db)
  }
  await sql`create index subject_keys_key on carillon.subject_keys (tenant_id, key_id)`.execute(db)
  await sql`alter table carillon.subject_keys enable row level security`.execute(db)
  await sql`create policy every_tenant on carillon.subject_keys to carillon_worker using (true) with check (true)`.execute(
    db,
  )
  await sql`grant select, insert, update, delete on carillon.subject_keys to carillon_worker`.execute(db)
}
