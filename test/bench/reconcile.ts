import type pg from 'pg'
import type { Totals } from './service/observer.ts'

/** What the tables say at the end. */
export interface Ledger {
  intents: number
  keys: number
  notifications: number
  deliveries: number
  pending: number
  sent: number
  failed: number
  attempts: number
  auditLines: number
  /** Intents whose first recipient is planned. */
  begun: number
  received: number
  enriched: number
  requested: number
  sentEvents: number
  /** As the rows of the log say how many they hold; the four kinds are counted in the rows themselves. */
  events: number
}

const ledgerSql = `
select (select count(*) from carillon.intents)::int as intents,
       (select count(distinct intent_id) from carillon.idempotency_keys)::int as keys,
       (select count(*) from carillon.notifications)::int as notifications,
       (select count(*) from carillon.notifications where right(id::text, 8) = '00000100')::int as begun,
       d.*,
       (select count(*) from carillon.delivery_attempts)::int as attempts,
       (select coalesce(sum(size), 0) from carillon.audit_batches)::int as "auditLines",
       l.events,
       e.*
from (select count(*)::int as deliveries,
             (count(*) filter (where state in ('queued', 'held', 'sending', 'retrying')))::int as pending,
             (count(*) filter (where state in ('sent', 'delivered')))::int as sent,
             (count(*) filter (where state in ('failed', 'bounced', 'cancelled', 'suppressed', 'expired')))::int as failed
      from carillon.deliveries) d,
     (select coalesce(sum(size), 0)::int as events from carillon.status_log) l,
     (select (count(*) filter (where type = 'notification.intent.received'))::int as received,
             (count(*) filter (where type = 'notification.intent.enriched'))::int as enriched,
             (count(*) filter (where type = 'notification.email.requested'))::int as requested,
             (count(*) filter (where type = 'notification.email.sent'))::int as "sentEvents"
      from carillon.status_events) e`

export async function readLedger(client: pg.Client): Promise<Ledger> {
  return (await client.query<Ledger & pg.QueryResultRow>(ledgerSql)).rows[0]!
}

export interface Claims {
  /** What the load generator was told. */
  accepted: number
  /** Notifications in requests whose fate the generator does not know. */
  unanswered: number
  /** Default 1. */
  recipientsPerIntent?: number
  service: Totals
  /** What is to be read from the broker's topics, and what the relay says it has published; absent without a broker. */
  feed?: { messages: number; published: number; failures: Record<string, number> }
}

/**
 * Holds what everybody says against the tables: nothing lost, nothing doubled, everything recorded. Gives one line for
 * each thing that does not add up.
 */
export function reconcile(ledger: Ledger, claims: Claims): string[] {
  const { accepted, service, feed } = claims
  const ended = ledger.sent + ledger.failed
  const wanted = ledger.intents * (claims.recipientsPerIntent ?? 1)
  const unplanned = wanted - ledger.notifications
  const faults: string[] = []
  const expect = (what: string, found: number, wanted: number) => {
    if (found !== wanted) faults.push(`${what}: ${found}, and it should be ${wanted}`)
  }
  if (ledger.intents < accepted || ledger.intents > accepted + claims.unanswered) {
    faults.push(`intents: ${ledger.intents}, and ${accepted} were accepted (${claims.unanswered} unanswered)`)
  }
  expect('settled + pending + unplanned', ended + ledger.pending + unplanned, wanted)
  expect('deliveries', ledger.deliveries, ledger.notifications)
  // A call whose outcome is not on disk yet belongs to a delivery that is still pending.
  expect('attempts on record', ledger.attempts, ledger.pending === 0 ? service.providerCalls : service.settled)
  expect('commits seen to settle', service.settled, ended)
  expect('failed deliveries', ledger.failed, 0)
  expect('deliveries that a provider was called for twice', service.repeatedCalls, 0)
  expect('messages that were not rendered as they should', service.misrendered, 0)
  expect('idempotency keys', ledger.keys, ledger.intents)
  expect('audit lines', ledger.auditLines, ledger.notifications)
  expect('events "received"', ledger.received, ledger.intents)
  expect('events "enriched"', ledger.enriched, ledger.begun)
  expect('events "requested"', ledger.requested, ledger.deliveries)
  expect('events "sent"', ledger.sentEvents, ledger.sent)
  expect('events', ledger.events, ledger.received + ledger.enriched + ledger.requested + ledger.sentEvents)
  if (feed) {
    expect('published events', feed.published, ledger.events)
    expect('messages in Kafka', feed.messages, ledger.events)
  }
  return faults
}
