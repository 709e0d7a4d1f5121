import { type Kysely, sql } from 'kysely'

/**
 * Deliveries that planning claims for its own process have no job of their own: the intents' job lasts until they are settled.
 * If the process dies, that job's next worker must know these from what jobs of deliveries have claimed, and live workers send.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table carillon.deliveries add column in_intents_job boolean`.execute(db)
}
