import { type Kysely, sql } from 'kysely'

/** An intent that was cancelled leads to no more notifications; planning asks for those among a chunk. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table carillon.intents drop constraint outcome_known,
    add constraint outcome_known check (outcome in ('unmatched', 'no_recipients', 'failed', 'cancelled'))`.execute(db)
  // Nearly empty: what is not cancelled is not in it.
  await sql`create index intents_cancelled on carillon.intents (tenant_id, id) where outcome = 'cancelled'`.execute(db)
}
