import type { NewIntent } from './intent.ts'
import { priorities } from './priority.ts'

/*
 * A status webhook is a notification like any other, from Carillon to an endpoint: its recipient and its address are the
 * endpoint itself, so that a changed URL holds for what still waits, and no address stands in a delivery or an event.
 */

const prefix = 'webhook-endpoint:'

/** How an endpoint is named as a recipient, and as the address of a delivery. No request can give such an address. */
export const endpointAddress = (endpointId: string): string => prefix + endpointId

/** The endpoint that an address names; undefined for one that is a URL. */
export const endpointIdOf = (address: string): string | undefined =>
  address.startsWith(prefix) ? address.slice(prefix.length) : undefined

/** What an endpoint is told. */
export interface ToldEvent {
  id: string
  type: string
  at: Date
  /** What the body's `data` holds, with the ids. */
  data: Record<string, unknown>
}

/** An endpoint is called with data as JSON, and few take more than this. */
const maxDataBytes = 64 * 1024
/** What JSON can say and jsonb cannot hold: NUL, and half of an emoji. */
const unstorable = /\\u0000|\\ud[89a-f]/

/** The intent that tells an endpoint of an event. */
export function statusWebhookIntent(tenantId: string, endpointId: string, event: ToldEvent): NewIntent {
  const address = endpointAddress(endpointId)
  const { correlation_id, traceparent } = event.data
  const text = JSON.stringify(event.data)
  const isWhole = Buffer.byteLength(text) <= maxDataBytes && !unstorable.test(text)
  return {
    tenantId,
    kind: 'direct',
    type: event.type,
    priority: priorities.NORMAL,
    eventId: event.id,
    correlationId: isWhole && typeof correlation_id === 'string' ? correlation_id : undefined,
    traceparent: isWhole && typeof traceparent === 'string' ? traceparent : undefined,
    source: 'system',
    payload: {
      recipients: [{ type: 'system', id: address, webhookEndpointId: endpointId }],
      channels: ['webhook'],
      data: isWhole ? event.data : { data_omitted: true, id: event.id, tenant_id: tenantId },
      metadata: {},
      statusEvent: { id: event.id, at: event.at.toISOString() },
    },
  }
}

/** The type of the event that a tenant sends itself to try an endpoint; it is in no log, and cannot be subscribed to. */
export const testEventType = 'carillon.webhook.test'
