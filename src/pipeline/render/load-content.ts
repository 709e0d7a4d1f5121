import { intentIdOf, notificationIdOf } from '../../domain/ids.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import { endpointAddress, endpointIdOf } from '../../domain/status-webhook.ts'
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
  /** Of a rule: what its template sees beside the event. */
  vars: Record<string, unknown> | null
  has_fallback: boolean
  expires_at: string | null
  idempotency_key: string | null
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
  /** By what stands in a delivery as its address: a URL, or a name of the endpoint. */
  endpoint(address: string): (EndpointContent & { id: string }) | undefined
}

type Row =
  | { kind: 'notification'; id: string; content: NotificationContent }
  | { kind: 'intent'; id: string; content: IntentPayload; idempotency_key: string | null }
  | { kind: 'endpoint'; id: string; content: EndpointContent }

/** A notification as it was planned a moment ago. */
export interface PlannedContent {
  id: string
  hasFallback: boolean
  addressee: {
    want: { category?: string; template?: { name: string } | null; rule?: object }
    vars?: Readonly<Record<string, unknown>>
    recipient: { id: string; name?: string; locale?: string; timezone?: string }
    intent: {
      type: string
      idempotencyKey?: string
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
      const { recipient, intent, want, vars } = notification.addressee
      return {
        recipient_id: recipient.id,
        recipient_name: recipient.name ?? null,
        locale: recipient.locale ?? null,
        timezone: recipient.timezone ?? null,
        type: intent.type,
        category: want.category ?? null,
        template: want.template?.name ?? null,
        vars: want.rule ? (vars ?? {}) : null,
        has_fallback: notification.hasFallback,
        expires_at: intent.expiresAt?.toISOString() ?? null,
        idempotency_key: intent.idempotencyKey ?? null,
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
  const addresses = new Set(deliveries.flatMap(({ channel, address }) => (channel === 'webhook' ? [address] : [])))
  const endpointIds = [...addresses].flatMap((address) => endpointIdOf(address) ?? [])
  const urls = [...addresses].filter((address) => endpointIdOf(address) === undefined)
  const rows = await run<Row>(on, contentSql, [
    tenantId,
    notificationIds,
    intentIds,
    intentIds[0],
    notificationIds.at(-1),
    urls,
    endpointIds,
  ])
  const notifications = new Map<string, NotificationContent>()
  const payloads = new Map<string, IntentPayload>()
  const endpoints = new Map<string, EndpointContent & { id: string }>()
  const keys = new Map<string, string | null>()
  for (const row of rows) {
    if (row.kind === 'notification') notifications.set(row.id, row.content)
    else if (row.kind === 'intent') {
      payloads.set(row.id, row.content)
      keys.set(row.id, row.idempotency_key)
    } else {
      const endpoint = { id: row.id, ...row.content }
      endpoints.set(row.content.url, endpoint)
      endpoints.set(endpointAddress(row.id), endpoint)
    }
  }
  for (const [id, notification] of notifications) notification.idempotency_key = keys.get(intentIdOf(id)) ?? null
  return {
    notification: (deliveryId) => notifications.get(notificationIdOf(deliveryId)),
    payload: (deliveryId) => payloads.get(intentIdOf(deliveryId)),
    endpoint: (address) => endpoints.get(address),
  }
}
