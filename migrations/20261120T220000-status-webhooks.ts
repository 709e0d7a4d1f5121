import { type Kysely, sql } from 'kysely'

/**
 * An endpoint may subscribe to types of status events. It is told of what was not yet committed when its subscription
 * began, which only that moment's snapshot can tell: ids and times are taken before a commit. How its calls end is noted
 * now and then, for people to see, and to switch off one that has failed for days.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table carillon.webhook_endpoints
      add column description text,
      add column event_types text[],
      add column since pg_snapshot,
      add column last_success_at timestamptz,
      add column last_failure_at timestamptz,
      add column last_failure text,
      add column failing_since timestamptz,
      add constraint since_iff_event_types check ((since is null) = (event_types is null)),
      add constraint event_types_not_empty check (cardinality(event_types) > 0)`.execute(db)
  await sql`
    create index webhook_endpoints_subscribed on carillon.webhook_endpoints (tenant_id)
      where event_types is not null and disabled_at is null`.execute(db)
}
