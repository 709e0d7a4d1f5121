import { type Kysely, sql } from 'kysely'

/** A function of one expression is written out where it is called; one with a FROM is a query of its own. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // In whole microseconds before it is cut to milliseconds: as a double, 0.001 seconds may be a hair less.
  await sql`
    create or replace function carillon.new_intent_id(at timestamptz) returns uuid language sql volatile
    as $$
      select (lpad(to_hex((date_part('epoch', at) * 1000000)::bigint / 1000), 12, '0') || '-7' ||
              substr(gen_random_uuid()::text, 16, 13) || '00000000')::uuid
    $$`.execute(db)
}
