import { Agent } from 'undici'
import { exchange } from '../../../src/channels/http-exchange.ts'
import type { Provider } from '../../../src/channels/port.ts'
import type { AttemptOutcome } from '../../../src/domain/outcome.ts'

const timeoutMs = 15_000

/** E-mail over the HTTP API of an imagined vendor: a request a message, over pooled connections, and its answer read. */
export function createHttpMailProvider(endpoint: string): Provider {
  const agent = new Agent({ connections: 50, pipelining: 1 })
  const url = new URL(endpoint)
  const headers = { 'content-type': 'application/json' }
  return {
    channel: 'email',
    name: 'http',
    async send({ deliveryId, address, recipientName, subject, body, bodyHtml }, signal): Promise<AttemptOutcome> {
      const mail = { id: deliveryId, to: { name: recipientName, address }, subject, text: body, html: bodyHtml }
      const request = { url, method: 'POST' as const, headers, timeoutMs, maxBodyBytes: 4_096, signal }
      const answer = await exchange(agent, { ...request, body: Buffer.from(JSON.stringify(mail)) })
      if (answer.kind === 'failed') return { kind: 'unknown', reason: 'transient', detail: answer.fault }
      if (answer.status !== 202) {
        return { kind: 'rejected', reason: 'transient', retryable: true, detail: `status ${answer.status}` }
      }
      const { id } = JSON.parse(answer.body.toString()) as { id: string }
      return { kind: 'accepted', providerMessageId: id }
    },
    close: () => agent.destroy(),
  }
}
