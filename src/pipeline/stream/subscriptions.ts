import { intentIdOf } from '../../domain/ids.ts'
import type { StatusEvent } from '../../domain/status-event.ts'
import { endpointIdOf } from '../../domain/status-webhook.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { isAfterSnapshot } from './snapshot.ts'

const anySql = statement('stream/any_subscription')
const loadSql = statement('stream/load_subscriptions')
const ownSql = statement('stream/find_status_webhooks')

/** An enabled webhook endpoint and what it wants to be told. */
export interface Subscription {
  tenantId: string
  endpointId: string
  eventTypes: string[]
  /** The snapshot in which it began, as text: of what was committed by then it is not told. */
  since: string
}

/** Whether anybody is subscribed at all. */
export async function anySubscription(on: Queryable): Promise<boolean> {
  const [row] = await run<{ any: boolean }>(on, anySql, [])
  return row!.any
}

/** The subscriptions of the tenants of these events. Read the events first: see load_subscriptions.sql. */
export async function loadSubscriptions(
  on: Queryable,
  events: readonly StatusEvent[],
): Promise<Map<string, Subscription[]>> {
  interface Row extends Record<string, unknown> {
    tenant_id: string
    id: string
    event_types: string[]
    since: string
  }
  const tenants = [...new Set(events.map(({ tenantId }) => tenantId))]
  const rows = await run<Row>(on, loadSql, [tenants])
  const subscriptions = rows.map(({ tenant_id, id, event_types, since }) => ({
    tenantId: tenant_id,
    endpointId: id,
    eventTypes: event_types,
    since,
  }))
  return Map.groupBy(subscriptions, ({ tenantId }) => tenantId)
}

/** Whether an event was committed after the subscription began. */
export const isSince = (subscription: Subscription, event: StatusEvent): boolean =>
  isAfterSnapshot(event.xid, subscription.since)

/** Leaves out what happened to status webhooks themselves: telling of that would be told of again, without end. */
export async function withoutOwn(on: Queryable, events: readonly StatusEvent[]): Promise<StatusEvent[]> {
  const doubtful = new Map(
    events.filter(mayBeOwn).map(({ tenantId, subjectId }) => [intentIdOf(subjectId), tenantId] as const),
  )
  if (doubtful.size === 0) return [...events]
  const rows = await run<{ id: string }>(on, ownSql, [[...doubtful.values()], [...doubtful.keys()]])
  const own = new Set(rows.map(({ id }) => id))
  return events.filter(({ subjectId }) => !own.has(intentIdOf(subjectId)))
}

/** What an event says itself settles it for nearly all; for the rest the intent is asked. */
function mayBeOwn({ type, data }: StatusEvent): boolean {
  if (typeof data.recipient_id === 'string') return endpointIdOf(data.recipient_id) !== undefined
  if (type === 'notification.intent.received') return data.source === 'system'
  return type.startsWith('notification.')
}
