import type { Channel } from '../../domain/channel.ts'
import { idTimeMs, intentIdOf, notificationId, ordinalOf } from '../../domain/ids.ts'
import type { IntentPayload, NewIntent, RecipientType } from '../../domain/intent.ts'
import {
  type NotificationOutcome,
  type NotificationStatus,
  notificationStatus,
  unplannedStatus,
} from '../../domain/notification-status.ts'
import { recipientIdOf } from '../../domain/recipient.ts'
import type { DeliveryRow } from '../../store/deliveries.ts'
import type { InboxItemRow } from '../../store/inbox-items.ts'
import type { IntentRow } from '../../store/intents.ts'
import type { NotificationRow } from '../../store/notifications.ts'
import type { Loaders } from './loaders.ts'

/** A notification as the API shows it, whether planning has written it yet or not. */
export interface NotificationView {
  id: string
  recipientType: RecipientType
  recipientId: string
  type: string
  category: string | null
  priority: number
  channels: readonly Channel[]
  template: string | null
  eventId: string | null
  correlationId: string | null
  traceparent: string | null
  scheduledAt: Date
  expiresAt: Date | null
  reason: string | null
  /** That wanted it, and in which version. */
  rule?: { id: string; version: number }
  /** Of a planned one: its row's outcome. */
  outcome: NotificationOutcome | null
  /** Of one that is not planned yet: its status. The row rules once it is there. */
  unplanned?: NotificationStatus
  /** Of one that a rule wanted: what the rule says. */
  vars?: Record<string, unknown> | null
  /** What was said, where it is at hand already. */
  payload?: IntentPayload
  // Read at most once a view, whichever fields ask.
  deliveries?: Promise<DeliveryRow[]>
  said?: Promise<IntentPayload | undefined>
  inboxItem?: Promise<InboxItemRow | undefined>
}

export function viewOfRow(row: NotificationRow): NotificationView {
  return {
    id: row.id,
    recipientType: row.recipient_type,
    recipientId: row.recipient_id,
    type: row.type,
    category: row.category,
    priority: row.priority,
    channels: row.channels,
    template: row.template,
    eventId: row.event_id,
    correlationId: row.correlation_id,
    traceparent: row.traceparent,
    scheduledAt: row.scheduled_at,
    expiresAt: row.expires_at,
    reason: row.reason,
    outcome: row.outcome,
    vars: row.rule_id === null ? undefined : (row.vars ?? {}),
    ...(row.rule_id ? { rule: { id: row.rule_id, version: row.rule_version! } } : {}),
  }
}

/** What an intent says of the notification with this id; undefined where it names no such recipient. */
export function viewOfIntent(tenantId: string, intent: IntentRow, id: string, now: Date): NotificationView | undefined {
  const recipient = intent.payload.recipients?.[ordinalOf(id) - 1]
  if (!recipient || intent.kind !== 'direct') return undefined
  return {
    id,
    recipientType: recipient.type,
    recipientId: recipientIdOf(tenantId, recipient),
    type: intent.type,
    category: intent.category,
    priority: intent.priority,
    channels: intent.payload.channels ?? [],
    template: intent.payload.template ?? null,
    eventId: intent.event_id,
    correlationId: intent.correlation_id,
    traceparent: intent.traceparent,
    scheduledAt: intent.scheduled_at ?? new Date(idTimeMs(id)),
    expiresAt: intent.expires_at,
    reason: intent.outcome,
    outcome: null,
    unplanned: unplannedStatus(
      { outcome: intent.outcome, scheduledAt: intent.scheduled_at, expiresAt: intent.expires_at },
      now,
    ),
    payload: intent.payload,
  }
}

/** The notifications of an intent that was accepted a moment ago, one a recipient: nothing needs to be read for them. */
export function viewsOfNewIntent(intent: NewIntent, intentId: string, now: Date): NotificationView[] {
  const row: IntentRow = {
    id: intentId,
    kind: intent.kind,
    type: intent.type,
    priority: intent.priority,
    category: intent.category ?? null,
    event_id: intent.eventId ?? null,
    idempotency_key: intent.idempotencyKey ?? null,
    correlation_id: intent.correlationId ?? null,
    traceparent: intent.traceparent ?? null,
    scheduled_at: intent.scheduledAt ? new Date(intent.scheduledAt) : null,
    expires_at: intent.expiresAt ? new Date(intent.expiresAt) : null,
    outcome: null,
    payload: intent.payload,
  }
  return (intent.payload.recipients ?? []).map(
    (_recipient, index) => viewOfIntent(intent.tenantId, row, notificationId(intentId, index + 1), now)!,
  )
}

export function deliveriesOf(view: NotificationView, load: Loaders): Promise<DeliveryRow[]> {
  view.deliveries ??= view.unplanned ? Promise.resolve([]) : load.deliveries(view.id)
  return view.deliveries
}

/** What was said in the request. undefined only where the intent is past its retention. */
export function saidIn(view: NotificationView, load: Loaders): Promise<IntentPayload | undefined> {
  view.said ??= view.payload
    ? Promise.resolve(view.payload)
    : load.intent(intentIdOf(view.id)).then((intent) => intent && saidByRule(intent.payload, view))
  return view.said
}

/** A rule without a template says what its variables of these names say. */
function saidByRule(payload: IntentPayload, { vars, template }: NotificationView): IntentPayload {
  if (!vars || template !== null) return payload
  const text = (name: string) => (typeof vars[name] === 'string' ? vars[name] : undefined)
  return { ...payload, subject: text('subject'), body: text('body'), bodyHtml: text('bodyHtml') }
}

export function inboxItemOf(view: NotificationView, load: Loaders): Promise<InboxItemRow | undefined> {
  view.inboxItem ??= view.unplanned ? Promise.resolve(undefined) : load.inboxItem(view)
  return view.inboxItem
}

export function statusOf(view: NotificationView, load: Loaders): NotificationStatus | Promise<NotificationStatus> {
  if (view.unplanned) return view.unplanned
  if (view.outcome) return view.outcome
  return deliveriesOf(view, load).then((deliveries) => notificationStatus(view.outcome, deliveries, view.reason))
}
