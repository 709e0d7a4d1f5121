import { Pool } from 'undici'
import { itemsOf, type LoadProfile } from './load-item.ts'
import type { LoadAnswer, Transport, TransportTarget } from './transport.ts'

/** Hands intents to accept in the service's process: HTTP and JSON are paid for, GraphQL and validation are not. */
export function createDirectTransport({ url }: TransportTarget, profile: LoadProfile): Transport {
  const pool = new Pool(url, { connections: 64, pipelining: 1 })
  return {
    async send(batch) {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: '/accept',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(itemsOf(batch, profile)),
      })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`accept answered ${statusCode}: ${text.slice(0, 300)}`)
      return JSON.parse(text) as LoadAnswer
    },
    close: () => pool.close(),
  }
}
