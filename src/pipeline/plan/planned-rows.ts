import type { Channel } from '../../domain/channel.ts'
import type { Decision, PlannedDelivery } from '../../domain/decision.ts'
import type { EventData } from '../../domain/event-types.ts'
import { deliveryId, notificationId } from '../../domain/ids.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import type { Recipient } from '../../domain/recipient.ts'
import { endpointIdOf } from '../../domain/status-webhook.ts'

/** What planning needs of a decided addressee. */
export interface Decided {
  intent: {
    id: string
    type: string
    priority: number
    category?: string
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
  verdict: Decision
  templateVersion?: string
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
}

export interface PlannedRows {
  notifications: NotificationRow[]
  deliveries: DeliveryRow[]
  events: { subject_id: string; type: string; data: EventData }[]
  auditLines: { id: string; line: object }[]
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
    webhookUrls: new Set(),
  }
  let enriched: Enriched | undefined
  for (const addressee of decided) {
    // The first page of an intent, and no other, has its first recipient.
    if (addressee.ordinal === 1) {
      enriched = enrichedIntent(addressee.intent, continuing.has(addressee.intent.id))
      rows.events.push(enriched)
    }
    if (enriched?.subject_id === addressee.intent.id) count(enriched.data, addressee.verdict)
    addRows(rows, addressee, settings.audit, now)
  }
  return rows
}

interface Enriched {
  subject_id: string
  type: 'notification.intent.enriched'
  data: EventData & { recipients: number; notifications: number; stopped: number }
}

function enrichedIntent(intent: Decided['intent'], continues: boolean): Enriched {
  const numbers = { recipients: 0, notifications: 0, stopped: 0, continues: continues || undefined }
  return { subject_id: intent.id, type: 'notification.intent.enriched', data: { ...storyOf(intent), ...numbers } }
}

/** A role without members stands for nobody. */
function count(numbers: Enriched['data'], { outcome, reason }: Decision): void {
  if (reason !== 'no_recipients') numbers.recipients++
  if (outcome) numbers.stopped++
  else numbers.notifications++
}

function storyOf({ type, category, idempotencyKey, correlationId, traceparent }: Decided['intent']) {
  return { type, category, idempotency_key: idempotencyKey, correlation_id: correlationId, traceparent }
}

function addRows(rows: PlannedRows, addressee: Decided, audit: boolean, now: Date): void {
  const { intent, recipient, verdict } = addressee
  const id = notificationId(intent.id, addressee.ordinal)
  const story = { recipient_id: recipient.id, ...storyOf(intent) }
  const channels = verdict.deliveries.filter((delivery) => delivery.fallbackRank === 0).map(({ channel }) => channel)
  rows.notifications.push({
    id,
    addressee,
    channels: channels.length > 0 ? channels : (intent.payload.channels ?? []),
    hasFallback: verdict.deliveries.some((delivery) => delivery.state === 'held'),
  })
  if (verdict.outcome) {
    rows.events.push({
      subject_id: id,
      type: `notification.${verdict.outcome}`,
      data: { ...story, reason: verdict.reason },
    })
  }
  for (const delivery of verdict.deliveries) {
    const subject = deliveryId(id, delivery.channel)
    rows.deliveries.push({
      id: subject,
      channel: delivery.channel,
      state: delivery.state,
      fallbackRank: delivery.fallbackRank,
      priority: intent.priority,
      address: delivery.address,
      reason: delivery.reason,
    })
    if (delivery.channel === 'webhook' && isUnregistered(delivery.address)) rows.webhookUrls.add(delivery.address)
    if (delivery.state === 'held') continue // it is told of when it is released
    rows.events.push({
      subject_id: subject,
      type: `notification.${delivery.channel}.${delivery.state === 'queued' ? 'requested' : delivery.state}`,
      data: { ...story, channel: delivery.channel, reason: delivery.reason },
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
        priority: intent.priority,
        recipient: { type: recipient.type, id: recipient.id, name: recipient.name, locale: recipient.locale },
        said: { ...said, recipients: undefined, template_version: addressee.templateVersion },
        data,
        metadata,
        outcome: verdict.outcome,
        reason: verdict.reason,
        deliveries: verdict.deliveries.map(({ channel, state, address, reason }) => ({
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
