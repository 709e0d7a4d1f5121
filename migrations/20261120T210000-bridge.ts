import { type Kysely, sql } from 'kysely'

/**
 * The way in from Kafka. Where the bridge has got to in each partition stands beside the intents that it has made, and
 * what cannot be read is parked with its bytes. Both are for operators: no tenant's role has rights on them.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // `resets` counts how often a partition began anew; with it, a position that comes back is not the one of before.
  await sql`
    create table carillon.bridge_offsets (
      cluster_id text not null,
      group_id text not null,
      topic text not null,
      partition int not null,
      next_offset bigint not null,
      resets int not null default 0,
      updated_at timestamptz not null,
      primary key (cluster_id, group_id, topic, partition),
      constraint next_offset_not_negative check (next_offset >= 0)
    ) with (fillfactor = 50)`.execute(db)

  await sql`
    create table carillon.parked_messages (
      id uuid primary key,
      cluster_id text not null,
      group_id text not null,
      topic text not null,
      partition int not null,
      "offset" bigint not null,
      resets int not null,
      message_at timestamptz,
      key bytea,
      headers jsonb not null,
      value bytea,
      reason text not null,
      detail text not null,
      parked_at timestamptz not null,
      replayed_at timestamptz,
      intent_id uuid,
      constraint reason_known check (reason in ('undecodable', 'unknown_schema', 'invalid', 'unknown_tenant', 'too_large', 'conflict', 'refused')),
      constraint intent_iff_replayed check ((intent_id is null) = (replayed_at is null)),
      constraint parked_once unique (cluster_id, group_id, topic, partition, resets, "offset")
    )`.execute(db)
  await sql`create index parked_messages_at on carillon.parked_messages (parked_at, id)`.execute(db)
  await sql`create index parked_messages_open on carillon.parked_messages (topic, reason) where replayed_at is null`.execute(
    db,
  )

  for (const table of ['bridge_offsets', 'parked_messages']) {
    const name = sql.table(`carillon.${table}`)
    await sql`alter table ${name} enable row level security`.execute(db)
    await sql`create policy operators_only on ${name} to carillon_worker using (true) with check (true)`.execute(db)
    await sql`grant select, insert, update, delete on ${name} to carillon_worker`.execute(db)
  }

  // The rows that are there kept the narrower rule, so nothing is gained by reading them all under this lock.
  await sql`alter table carillon.intents drop constraint source_known`.execute(db)
  await sql`alter table carillon.intents add constraint source_known
    check (source in ('graphql', 'sql', 'cli', 'system', 'kafka')) not valid`.execute(db)
}
