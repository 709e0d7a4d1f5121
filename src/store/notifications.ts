import type { Channel } from '../domain/channel.ts'
import type { RecipientType } from '../domain/intent.ts'
import type { NotificationOutcome, NotificationStatus } from '../domain/notification-status.ts'
import { type Queryable, run, type Statement, statement } from '../platform/db.ts'
import { idBounds } from './id-bounds.ts'

export interface NotificationRow {
  id: string
  recipient_type: RecipientType
  recipient_id: string
  type: string
  category: string | null
  priority: number
  channels: Channel[]
  template: string | null
  event_id: string | null
  correlation_id: string | null
  traceparent: string | null
  scheduled_at: Date
  expires_at: Date | null
  outcome: NotificationOutcome | null
  reason: string | null
  /** Of one that a rule wanted. */
  rule_id: string | null
  rule_version: number | null
  /** What its template sees beside the event, or what is said where the rule has none. */
  vars: Record<string, unknown> | null
}

const byId = statement('read/notifications_by_id')
const statusExpression = statement('read/notification_status').text

/** The planned notifications among these ids, in no order; unknown and unplanned ids are left out. */
export async function findNotifications(
  on: Queryable,
  tenantId: string,
  ids: readonly string[],
): Promise<NotificationRow[]> {
  if (ids.length === 0) return []
  return run<NotificationRow & Record<string, unknown>>(on, byId, [tenantId, ids, ...idBounds(ids)])
}

export interface NotificationPage {
  /** Ids from here … */
  atLeast?: string
  /** … and below there. */
  below?: string
  /** Ids up to and with this one. */
  atMost?: string
  /** Keyset: ids greater than this one. */
  above?: string
  recipientId?: string
  type?: string
  channel?: Channel
  statuses?: readonly NotificationStatus[]
  /** true: in the inbox, neither read nor archived; false: in the inbox, and read. */
  unread?: boolean
  /** Whether those are meant that tell webhook endpoints of status events, or the others. */
  statusWebhooks?: boolean
  newestFirst: boolean
  limit: number
}

/** Each filter that is given, as a condition on `n`. What is not given is not in the text, so every plan can use its index. */
const conditions: { [Name in keyof NotificationPage]?: (parameter: string) => string } = {
  atLeast: (p) => `n.id >= ${p}::uuid`,
  below: (p) => `n.id < ${p}::uuid`,
  atMost: (p) => `n.id <= ${p}::uuid`,
  above: (p) => `n.id > ${p}::uuid`,
  recipientId: (p) => `n.recipient_id = ${p}::text`,
  type: (p) => `n.type = ${p}::text`,
  channel: (p) => `${p}::text = any (n.channels)`,
  statuses: (p) => `${statusExpression} = any (${p}::text[])`,
  statusWebhooks: (p) => `(n.recipient_id like 'webhook-endpoint:%') = ${p}::boolean`,
  unread: (p) => `exists (
    select from carillon.inbox_items i
    where i.tenant_id = n.tenant_id and i.recipient_id = n.recipient_id
      and i.id >= n.id and i.id <= carillon.last_id_of(n.id)
      and case when ${p}::boolean then i.read_at is null and i.archived_at is null else i.read_at is not null end)`,
}

const pageStatements = new Map<string, Statement>()

/** One statement a combination of filters, made once. */
function pageStatement(names: (keyof NotificationPage)[], newestFirst: boolean): Statement {
  const key = `${names.join('+')}:${newestFirst ? 'desc' : 'asc'}`
  const known = pageStatements.get(key)
  if (known) return known
  const wanted = names.map((name, index) => `and ${conditions[name]?.(`$${index + 2}`)}`).join('\n  ')
  const text = `select n.id, n.recipient_type, n.recipient_id, n.type, n.category, n.priority, n.channels, n.template,
       n.event_id, n.correlation_id, n.traceparent, n.scheduled_at, n.expires_at, n.outcome, n.reason, n.rule_id, n.rule_version,
       n.vars
from carillon.notifications n
where n.tenant_id = $1::uuid
  ${wanted}
order by n.id ${newestFirst ? 'desc' : 'asc'}
limit $${names.length + 2}::int`
  // Postgres cuts names at 63 bytes, and two cut names could meet.
  const made = { name: `notifications_page_${pageStatements.size}`, text }
  pageStatements.set(key, made)
  return made
}

/** One page of notifications, by keyset on the id. */
export async function pageNotifications(
  on: Queryable,
  tenantId: string,
  page: NotificationPage,
): Promise<NotificationRow[]> {
  const names = (Object.keys(conditions) as (keyof NotificationPage)[]).filter((name) => page[name] !== undefined)
  const values = [tenantId, ...names.map((name) => page[name]), page.limit]
  return run<NotificationRow & Record<string, unknown>>(on, pageStatement(names, page.newestFirst), values)
}

export interface CancelledNotification {
  id: string
  recipientType: RecipientType
  recipientId: string
  recipientName: string | null
  locale: string | null
  timezone: string | null
  type: string
  category: string | null
  priority: number
  channels: readonly Channel[]
  hasFallback: boolean
  template: string | null
  eventId: string | null
  correlationId: string | null
  traceparent: string | null
  scheduledAt: Date
  expiresAt: Date | null
  createdAt: Date
}

const insertCancelledSql: Statement = {
  name: 'notifications_insert_cancelled',
  text: `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, recipient_name, locale, timezone, type,
    category, priority, channels, has_fallback, template, event_id, correlation_id, traceparent, scheduled_at, expires_at,
    created_at, outcome, reason)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 'cancelled', 'cancelled')
  on conflict do nothing
  returning id`,
}

/**
 * Writes the notification that planning has not written yet, as cancelled; planning then meets it and leaves it alone.
 * False: planning was first, and the row is there (this waits for a planning that is under way).
 */
export async function insertCancelledNotification(
  on: Queryable,
  tenantId: string,
  n: CancelledNotification,
): Promise<boolean> {
  const rows = await run(on, insertCancelledSql, [
    tenantId,
    n.id,
    n.recipientType,
    n.recipientId,
    n.recipientName,
    n.locale,
    n.timezone,
    n.type,
    n.category,
    n.priority,
    n.channels,
    n.hasFallback,
    n.template,
    n.eventId,
    n.correlationId,
    n.traceparent,
    n.scheduledAt,
    n.expiresAt,
    n.createdAt,
  ])
  return rows.length > 0
}
