import type { Message } from '../../domain/message.ts'
import type { AttemptOutcome } from '../../domain/outcome.ts'
import type { Clock } from '../../platform/clock.ts'
import { type AddressGuardOptions, createAddressGuard } from '../address-guard.ts'
import { createGuardedAgent, exchange } from '../http-exchange.ts'
import type { Provider } from '../port.ts'
import { signWebhook } from './sign-webhook.ts'
import { webhookOutcome } from './webhook-outcome.ts'
import { webhookId, webhookPayload } from './webhook-payload.ts'

export interface WebhookSettings extends AddressGuardOptions {
  /** For one try, from the call to the last byte read. Default 15 s, as Standard Webhooks advises (15 to 30). */
  timeoutMs?: number
  /** Requests in flight per origin. Default 16. */
  maxInFlightPerOrigin?: number
  /** Whether `http://` endpoints are taken beside `https://`. Default false. */
  allowHttp?: boolean
  /** Default `Carillon-Webhooks`. */
  userAgent?: string
  /** Extra trusted certificate authorities, PEM. Default none. */
  ca?: string
}

/** Enough for what an endpoint has to say; the rest is not read. */
const maxResponseBytes = 4_096
const tracePattern = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** Standard Webhooks to the URL in `message.address`, signed with the endpoint's secrets. One per process. */
export function createWebhookProvider(settings: WebhookSettings, clock: Clock): Provider {
  const timeoutMs = settings.timeoutMs ?? 15_000
  const agent = createGuardedAgent({
    guard: createAddressGuard(settings),
    connections: settings.maxInFlightPerOrigin ?? 16,
    connectTimeoutMs: timeoutMs,
    ca: settings.ca,
  })

  async function send(message: Message, signal: AbortSignal): Promise<AttemptOutcome> {
    const url = parseEndpoint(message.address, settings.allowHttp === true)
    if (typeof url === 'string') return misconfigured(url)

    const id = webhookId(message)
    const body = webhookPayload(message)
    const timestampSeconds = Math.floor(clock.now().getTime() / 1_000)
    const signature = signWebhook(message.webhook?.secrets ?? [], id, timestampSeconds, body)
    if (signature === undefined) return misconfigured('the endpoint has no usable signing secret')

    const headers: Record<string, string> = {
      'content-type': 'application/json',
      'user-agent': settings.userAgent ?? 'Carillon-Webhooks',
      'webhook-id': id,
      'webhook-timestamp': String(timestampSeconds),
      'webhook-signature': signature,
    }
    if (message.traceparent !== undefined && tracePattern.test(message.traceparent)) {
      headers.traceparent = message.traceparent
    }
    const result = await exchange(agent, {
      url,
      method: 'POST',
      headers,
      body,
      timeoutMs,
      maxBodyBytes: maxResponseBytes,
      signal,
    })
    return webhookOutcome(result, message, clock.now())
  }

  // Not close(): it would wait for requests that were given up while they queued for a connection.
  return { channel: 'webhook', name: 'webhook', send, close: () => agent.destroy() }
}

/** The endpoint's URL, or in words what is wrong with it. */
function parseEndpoint(address: string, allowHttp: boolean): URL | string {
  const url = URL.parse(address)
  if (!url || url.hostname === '') return 'the endpoint is no URL'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'the endpoint is neither http nor https'
  if (url.protocol === 'http:' && !allowHttp) return 'the endpoint must use https'
  if (url.username !== '' || url.password !== '') return 'the endpoint must not carry credentials'
  return url
}

function misconfigured(detail: string): AttemptOutcome {
  return { kind: 'rejected', reason: 'misconfigured', retryable: false, detail }
}
