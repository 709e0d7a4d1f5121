import type { Channel } from '../../domain/channel.ts'
import type { Decision, PlannedDelivery } from '../../domain/decision.ts'
import type { DecisionLine } from '../../domain/decision-line.ts'
import type { EventData } from '../../domain/event-types.ts'
import { deliveryId, notificationId } from '../../domain/ids.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import type { Recipient } from '../../domain/recipient.ts'
import { endpointIdOf } from '../../domain/status-webhook.ts'
import type { Want } from '../../domain/want.ts'
import { decisionLine } from './decision-line.ts'

/** What planning needs of a decided addressee. */
export interface Decided {
  intent: {
    id: string
    type: string
    eventId?: string
    idempotencyKey?: string
    correlationId?: string
    traceparent?: string
    scheduledAt?: Date
    expiresAt?: Date
    acceptedAt: Date
    payload: IntentPayload
  }
  ordinal: number
  recipient: Recipient
  want: Want
  /** Of a rule: what its template sees beside the event. */
  vars?: Readonly<Record<string, unknown>>
  decision: Decision
  /** Of the tenant's settings that were asked. */
  settingsVersion?: string
}

export interface NotificationRow {
  id: string
  addressee: Decided
  channels: readonly Channel[]
  hasFallback: boolean
}

export interface DeliveryRow {
  id: string
  channel: Channel
  state: PlannedDelivery['state'] | 'sending'
  fallbackRank: number
  priority: number
  address: string
  reason?: string
  /** Of a snoozed one. */
  until?: Date
  recipientId: string
}

export interface PlannedRows {
  notifications: NotificationRow[]
  deliveries: DeliveryRow[]
  events: { subject_id: string; type: string; data: EventData }[]
  auditLines: { id: string; line: object }[]
  decisionLines: DecisionLine[]
  webhookUrls: Set<string>
}

/**
 * Turns decided addressees into the rows of one planning statement. `continuing` are the intents that have more of them
 * than are planned now.
 */
export function plannedRows(
  decided: readonly Decided[],
  settings: { audit: boolean },
  now: Date,
  continuing: ReadonlySet<string> = new Set(),
): PlannedRows {
  const rows: PlannedRows = {
    notifications: [],
    deliveries: [],
    events: [],
    auditLines: [],
    decisionLines: [],
    webhookUrls: new Set(),
  }
  let enriched: Enriched | undefined
  for (const addressee of decided) {
    // The first page of an intent, and no other, has its first recipient.
    if (addressee.ordinal === 1) {
      enriched = enrichedIntent(addressee, continuing.has(addressee.intent.id))
      rows.events.push(enriched)
    }
    if (enriched?.subject_id === addressee.intent.id) count(enriched.data, addressee.decision)
    addRows(rows, addressee, settings.audit, now)
  }
  return rows
}

interface Enriched {
  subject_id: string
  type: 'notification.intent.enriched'
  data: EventData & { recipients: number; notifications: number; stopped: number }
}

function enrichedIntent(addressee: Decided, continues: boolean): Enriched {
  const numbers = { recipients: 0, notifications: 0, stopped: 0, continues: continues || undefined }
  const data = { ...storyOf(addressee), ...numbers }
  return { subject_id: addressee.intent.id, type: 'notification.intent.enriched', data }
}

/** A role without members stands for nobody. */
function count(numbers: Enriched['data'], { outcome, reason }: Decision): void {
  if (reason !== 'no_recipients') numbers.recipients++
  if (outcome) numbers.stopped++
  else numbers.notifications++
}

function storyOf({ intent, want }: Decided) {
  const { type, idempotencyKey, correlationId, traceparent } = intent
  return { type, category: want.category, idempotency_key: idempotencyKey, correlation_id: correlationId, traceparent }
}

function addRows(rows: PlannedRows, addressee: Decided, audit: boolean, now: Date): void {
  const { intent, recipient, want, decision } = addressee
  const id = notificationId(intent.id, addressee.ordinal)
  const story = { recipient_id: recipient.id, ...storyOf(addressee) }
  const channels = decision.deliveries.filter((delivery) => delivery.fallbackRank === 0).map(({ channel }) => channel)
  rows.notifications.push({
    id,
    addressee,
    channels: channels.length > 0 ? channels : (want.channels ?? []),
    hasFallback: decision.deliveries.some((delivery) => delivery.state === 'held'),
  })
  if (decision.outcome) {
    rows.events.push({
      subject_id: id,
      type: `notification.${decision.outcome}`,
      data: { ...story, reason: decision.reason },
    })
  }
  const line = decisionLine(id, addressee)
  if (line) rows.decisionLines.push(line)
  for (const delivery of decision.deliveries) {
    const subject = deliveryId(id, delivery.channel)
    rows.deliveries.push({
      id: subject,
      channel: delivery.channel,
      state: delivery.state,
      fallbackRank: delivery.fallbackRank,
      priority: want.priority,
      address: delivery.address,
      reason: delivery.reason,
      until: delivery.until,
      recipientId: recipient.id,
    })
    if (delivery.channel === 'webhook' && isUnregistered(delivery.address)) rows.webhookUrls.add(delivery.address)
    if (delivery.state === 'held') continue // it is told of when it is released
    rows.events.push({
      subject_id: subject,
      type: `notification.${delivery.channel}.${delivery.state === 'queued' ? 'requested' : delivery.state}`,
      data: { ...story, channel: delivery.channel, reason: delivery.reason, next_attempt_at: delivery.until },
    })
  }
  if (audit || channels.includes('audit')) {
    const { data, metadata, ...said } = intent.payload
    rows.auditLines.push({
      id,
      line: {
        notification_id: id,
        intent_id: intent.id,
        event_id: intent.eventId,
        ...story,
        priority: want.priority,
        rule: want.rule,
        recipient: { type: recipient.type, id: recipient.id, name: recipient.name, locale: recipient.locale },
        said: {
          ...said,
          recipients: undefined,
          template: want.template?.name ?? said.template,
          template_version: want.template?.version,
        },
        data,
        metadata,
        outcome: decision.outcome,
        reason: decision.reason,
        deliveries: decision.deliveries.map(({ channel, state, address, reason }) => ({
          channel,
          state,
          address,
          reason,
        })),
        accepted_at: intent.acceptedAt,
        scheduled_at: intent.scheduledAt,
        expires_at: intent.expiresAt,
        planned_at: now,
      },
    })
  }
}

/** A URL may have no endpoint yet. */
const isUnregistered = (address: string) => address !== '' && endpointIdOf(address) === undefined
