import { Pool } from 'undici'
import { benchTemplate, dataOf, keyOf, recipientOf, typeOf } from './load-item.ts'
import type { Transport, TransportTarget } from './transport.ts'

const mutation = `mutation Load($inputs: [SendNotificationInput!]!) {
  sendNotifications(inputs: $inputs) { intentId status error { code } }
}`

interface Answer {
  data?: { sendNotifications: { status: 'ACCEPTED' | 'DUPLICATE' | 'REJECTED' }[] }
  errors?: { message: string; extensions?: { code?: string } }[]
}

/** The public way: one bulk `sendNotifications` a request. */
export function createGraphqlTransport({ url, apiKey }: TransportTarget): Transport {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: 64, pipelining: 1 })
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' }
  if (apiKey) headers.authorization = `Bearer ${apiKey}`
  return {
    async send(items) {
      const inputs = items.map((item) => ({
        idempotencyKey: keyOf(item),
        type: typeOf(),
        recipient: { type: 'USER', ...recipientOf(item) },
        channels: ['EMAIL'],
        category: 'transactional',
        template: benchTemplate,
        data: dataOf(item),
      }))
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: pathname,
        headers,
        body: JSON.stringify({ query: mutation, variables: { inputs } }),
      })
      const text = await body.text()
      if (statusCode !== 200) throw new Error(`GraphQL answered ${statusCode}: ${text.slice(0, 300)}`)
      const answer = JSON.parse(text) as Answer
      const [fault] = answer.errors ?? []
      if (fault || !answer.data) throw new Error(`GraphQL answered ${fault?.extensions?.code}: ${fault?.message}`)
      const results = answer.data.sendNotifications
      const count = (status: string) => results.filter((result) => result.status === status).length
      return { accepted: count('ACCEPTED'), duplicates: count('DUPLICATE'), rejected: count('REJECTED') }
    },
    close: () => pool.close(),
  }
}
