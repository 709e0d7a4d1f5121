import { intentIdOf, notificationIdOf } from '../../domain/ids.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'

const contentSql = statement('render/load_content')

/** The notification's row, as far as rendering needs it. */
export interface NotificationContent {
  recipient_id: string
  recipient_name: string | null
  locale: string | null
  timezone: string | null
  type: string
  category: string | null
  template: string | null
  has_fallback: boolean
  expires_at: string | null
  correlation_id: string | null
  traceparent: string | null
  created_at: string
}

export interface EndpointContent {
  url: string
  secrets: string[]
  disabled: boolean
}

export interface Content {
  notification(deliveryId: string): NotificationContent | undefined
  payload(deliveryId: string): IntentPayload | undefined
  endpoint(url: string): (EndpointContent & { id: string }) | undefined
}

type Row =
  | { kind: 'notification'; id: string; content: NotificationContent }
  | { kind: 'intent'; id: string; content: IntentPayload }
  | { kind: 'endpoint'; id: string; content: EndpointContent }

/** A notification as it was planned a moment ago. */
export interface PlannedContent {
  id: string
  hasFallback: boolean
  addressee: {
    recipient: { id: string; name?: string; locale?: string; timezone?: string }
    intent: {
      type: string
      category?: string
      correlationId?: string
      traceparent?: string
      expiresAt?: Date
      acceptedAt: Date
      payload: IntentPayload
    }
  }
}

/** What deliveries say that were planned by this process, without a look into the database. Webhook endpoints are not among it. */
export function contentOfPlan(planned: readonly PlannedContent[]): Content {
  const byId = new Map(planned.map((notification) => [notification.id, notification]))
  return {
    notification(deliveryId) {
      const notification = byId.get(notificationIdOf(deliveryId))
      if (!notification) return undefined
      const { recipient, intent } = notification.addressee
      return {
        recipient_id: recipient.id,
        recipient_name: recipient.name ?? null,
        locale: recipient.locale ?? null,
        timezone: recipient.timezone ?? null,
        type: intent.type,
        category: intent.category ?? null,
        template: intent.payload.template ?? null,
        has_fallback: notification.hasFallback,
        expires_at: intent.expiresAt?.toISOString() ?? null,
        correlation_id: intent.correlationId ?? null,
        traceparent: intent.traceparent ?? null,
        created_at: intent.acceptedAt.toISOString(),
      }
    },
    payload: (deliveryId) => byId.get(notificationIdOf(deliveryId))?.addressee.intent.payload,
    endpoint: () => undefined,
  }
}

/** Loads what the deliveries say, in one statement for the whole chunk. */
export async function loadContent(
  on: Queryable,
  tenantId: string,
  deliveries: readonly { deliveryId: string; channel: string; address: string }[],
): Promise<Content> {
  const notificationIds = [...new Set(deliveries.map(({ deliveryId }) => notificationIdOf(deliveryId)))].sort()
  const intentIds = [...new Set(deliveries.map(({ deliveryId }) => intentIdOf(deliveryId)))].sort()
  const urls = [...new Set(deliveries.flatMap(({ channel, address }) => (channel === 'webhook' ? [address] : [])))]
  const rows = await run<Row>(on, contentSql, [
    tenantId,
    notificationIds,
    intentIds,
    intentIds[0],
    notificationIds.at(-1),
    urls,
  ])
  const notifications = new Map<string, NotificationContent>()
  const payloads = new Map<string, IntentPayload>()
  const endpoints = new Map<string, EndpointContent & { id: string }>()
  for (const row of rows) {
    if (row.kind === 'notification') notifications.set(row.id, row.content)
    else if (row.kind === 'intent') payloads.set(row.id, row.content)
    else endpoints.set(row.content.url, { id: row.id, ...row.content })
  }
  return {
    notification: (deliveryId) => notifications.get(notificationIdOf(deliveryId)),
    payload: (deliveryId) => payloads.get(intentIdOf(deliveryId)),
    endpoint: (url) => endpoints.get(url),
  }
}
