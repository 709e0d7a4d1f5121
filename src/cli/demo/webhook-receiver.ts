import { timingSafeEqual } from 'node:crypto'
import express from 'express'
import { signWebhook } from '../../channels/webhook/sign-webhook.ts'
import { systemClock } from '../../platform/clock.ts'
import { endListening, listen, portOf } from '../listen.ts'

export interface WebhookReceiver {
  url: string
  close(): Promise<void>
}

export interface WebhookReceiverOptions {
  /** The port to take if it is free. */
  preferredPort?: number
  /** The signing secrets of the endpoint at `url`, asked for with each call. */
  secrets(): readonly string[]
  onReceived(call: { type: string; verified: boolean }): void
}

const path = '/demo/webhook'
const host = '127.0.0.1'

/** The other side of the demo's webhook: checks the signature as a customer would, and answers 401 to a wrong one. */
export async function startWebhookReceiver(options: WebhookReceiverOptions): Promise<WebhookReceiver> {
  const app = express()
  app.post(path, express.raw({ type: () => true, limit: '2mb' }), (request, response) => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const verified = isSigned(options.secrets(), request.headers, body)
    response.status(verified ? 204 : 401).end()
    options.onReceived({ type: typeOf(body), verified })
  })
  const server = await listen(app, host, options.preferredPort ?? 0).catch(() => listen(app, host, 0))
  return { url: `http://${host}:${portOf(server)}${path}`, close: () => endListening(server) }
}

const toleranceSeconds = 300

function isSigned(secrets: readonly string[], headers: NodeJS.Dict<string | string[]>, body: Buffer): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures } = headers
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signatures !== 'string') return false
  const seconds = Number(timestamp)
  if (!(Math.abs(systemClock.now().getTime() / 1_000 - seconds) <= toleranceSeconds)) return false
  const expected = signWebhook(secrets, id, seconds, body)?.split(' ') ?? []
  return signatures.split(' ').some((given) => expected.some((own) => isEqual(own, given)))
}

function isEqual(own: string, given: string): boolean {
  const [a, b] = [Buffer.from(own), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function typeOf(body: Buffer): string {
  try {
    const { type } = JSON.parse(body.toString('utf8')) as { type?: unknown }
    return typeof type === 'string' ? type : 'unknown'
  } catch {
    return 'unknown'
  }
}
