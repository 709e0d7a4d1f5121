import { type Kysely, sql } from 'kysely'

/**
 * What an intake of one row paid most for. Postgres parses the CHECKs of a partition anew in each statement that inserts into it,
 * a tenth of what carillon.notify cost; the rows come from carillon.accept_intents and accept_intent alone. And a function of
 * one expression is written out where it is called, one with a FROM is a query of its own.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table carillon.intents drop constraint kind_known, drop constraint priority_known, drop constraint source_known,
    drop constraint expires_after_scheduled, drop constraint outcome_known`.execute(db)
  await sql`alter table carillon.idempotency_keys drop constraint key_length`.execute(db)
  await sql`alter table carillon.status_log drop constraint size_positive, drop constraint subjects_in_order`.execute(
    db,
  )

  // In whole microseconds before it is cut to milliseconds: as a double, 0.001 seconds may be a hair less.
  await sql`
    create or replace function carillon.new_intent_id(at timestamptz) returns uuid language sql volatile
    as $$
      select (lpad(to_hex((date_part('epoch', at) * 1000000)::bigint / 1000), 12, '0') || '-7' ||
              substr(gen_random_uuid()::text, 16, 13) || '00000000')::uuid
    $$`.execute(db)
}
