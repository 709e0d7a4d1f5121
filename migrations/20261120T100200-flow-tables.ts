import { type Kysely, sql } from 'kysely'

/**
 * The tables that every notification passes through: append-mostly, partitioned by RANGE on the UUIDv7 that says when
 * the story began, without a foreign key, a trigger or a third index among them. Partitions are made by
 * carillon.ensure_partitions; what changes after the insert is named in no index, so that updates stay HOT.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table carillon.intents (
      tenant_id uuid not null,
      id uuid not null,
      kind text not null,
      type text not null,
      priority smallint not null,
      category text,
      idempotency_key text,
      event_id text,
      correlation_id text,
      traceparent text,
      source text not null,
      scheduled_at timestamptz,
      expires_at timestamptz,
      accepted_at timestamptz not null,
      recipients int not null,
      payload jsonb not null,
      outcome text,
      primary key (tenant_id, id),
      constraint kind_known check (kind in ('direct', 'event')),
      constraint priority_known check (priority between 0 and 3),
      constraint source_known check (source in ('graphql', 'sql', 'cli', 'system')),
      constraint expires_after_scheduled check (expires_at > scheduled_at),
      constraint outcome_known check (outcome in ('unmatched', 'no_recipients', 'failed'))
    ) partition by range (id)`.execute(db)

  await sql`
    create table carillon.notifications (
      tenant_id uuid not null,
      id uuid not null,
      recipient_type text not null,
      recipient_id text not null,
      recipient_name text,
      locale text,
      timezone text,
      type text not null,
      category text,
      priority smallint not null,
      channels text[] not null,
      has_fallback boolean not null,
      template text,
      event_id text,
      correlation_id text,
      traceparent text,
      scheduled_at timestamptz not null,
      expires_at timestamptz,
      created_at timestamptz not null,
      outcome carillon.delivery_state,
      reason text,
      primary key (tenant_id, id),
      constraint recipient_type_known check (recipient_type in ('user', 'role', 'group', 'system')),
      constraint outcome_only_without_deliveries check (outcome in ('sent', 'failed', 'cancelled', 'suppressed', 'expired'))
    ) partition by range (id)`.execute(db)
  await sql`create index notifications_recipient on carillon.notifications (tenant_id, recipient_id, id)`.execute(db)

  await sql`
    create table carillon.deliveries (
      tenant_id uuid not null,
      id uuid not null,
      channel carillon.channel not null,
      state carillon.delivery_state not null,
      attempt smallint not null default 0,
      fallback_rank smallint not null default 0,
      priority smallint not null,
      address text not null,
      reason text,
      next_attempt_at timestamptz,
      sent_at timestamptz,
      delivered_at timestamptz,
      created_at timestamptz not null,
      updated_at timestamptz not null,
      primary key (tenant_id, id),
      constraint held_iff_fallback check (state <> 'held' or fallback_rank > 0),
      constraint next_attempt_at_iff_retrying check ((state = 'retrying') = (next_attempt_at is not null)),
      constraint sent_at_iff_sent check (state not in ('sent', 'delivered') or sent_at is not null)
    ) partition by range (id)`.execute(db)

  await sql`
    create table carillon.delivery_attempts (
      tenant_id uuid not null,
      delivery_id uuid not null,
      attempt smallint not null,
      channel carillon.channel not null,
      provider text not null,
      outcome text not null,
      reason text,
      detail text,
      provider_message_id text,
      possible_duplicate boolean not null,
      started_at timestamptz not null,
      completed_at timestamptz,
      primary key (tenant_id, delivery_id, attempt),
      constraint outcome_known check (outcome in ('accepted', 'rejected', 'unknown', 'delivered', 'bounced')),
      constraint reason_iff_not_accepted check ((reason is null) = (outcome in ('accepted', 'delivered')))
    ) partition by range (delivery_id)`.execute(db)

  // The outbox, the audit trail and what subscriptions follow, in one: see docs/decisions/status-events.md.
  await sql`
    create table carillon.status_events (
      tenant_id uuid not null,
      subject_id uuid not null,
      id uuid not null,
      xid xid8 not null default pg_current_xact_id(),
      type text not null,
      at timestamptz not null,
      data json not null,
      primary key (tenant_id, subject_id, id)
    ) partition by range (id)`.execute(db)
  await sql`create index status_events_feed on carillon.status_events (xid, id)`.execute(db)

  await sql`
    create table carillon.audit_log (
      tenant_id uuid not null,
      id uuid not null,
      at timestamptz not null,
      line json not null,
      primary key (tenant_id, id)
    ) partition by range (id)`.execute(db)

  await sql`
    create table carillon.inbox_items (
      tenant_id uuid not null,
      recipient_id text not null,
      id uuid not null,
      xid xid8 not null default pg_current_xact_id(),
      type text not null,
      title text not null,
      body text,
      body_html text,
      data jsonb not null,
      created_at timestamptz not null,
      seen_at timestamptz,
      read_at timestamptz,
      archived_at timestamptz,
      primary key (tenant_id, recipient_id, id)
    ) partition by range (id)`.execute(db)

  // A key lives in the partition of the day it was first used, so that purging is DROP. In the last hour of a day it is
  // written to the next day's partition as well: two requests on either side of midnight still meet in one of them.
  await sql`
    create table carillon.idempotency_keys (
      tenant_id uuid not null,
      key text not null,
      bucket date not null,
      payload_hash bytea not null,
      intent_id uuid not null,
      created_at timestamptz not null,
      primary key (tenant_id, key, bucket),
      constraint key_length check (length(key) between 1 and 255)
    ) partition by range (bucket)`.execute(db)

  // Small side tables for what is rare and must be found.
  await sql`
    create table carillon.dead_letters (
      tenant_id uuid not null,
      delivery_id uuid not null,
      channel carillon.channel not null,
      reason text not null,
      attempts smallint not null,
      state text not null default 'open',
      created_at timestamptz not null,
      resolved_at timestamptz,
      resolved_by text,
      primary key (tenant_id, delivery_id),
      constraint state_known check (state in ('open', 'replayed', 'discarded')),
      constraint resolved_at_iff_resolved check ((state = 'open') = (resolved_at is null))
    )`.execute(db)
  await sql`create index dead_letters_open on carillon.dead_letters (tenant_id, created_at) where state = 'open'`.execute(
    db,
  )

  // How far each follower of status_events has come, and of which database.
  await sql`
    create table carillon.feed_cursors (
      lane text primary key,
      system_identifier text not null,
      xid xid8 not null,
      id uuid not null,
      enabled boolean not null,
      updated_at timestamptz not null
    )`.execute(db)
}
