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
