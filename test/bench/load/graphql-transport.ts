import { Pool } from 'undici'
import { createInputWriter } from './input-text.ts'
import type { LoadProfile } from './load-item.ts'
import { type LoadAnswer, RefusedError, type Transport, type TransportTarget } from './transport.ts'

const bulk = `mutation Load($inputs: [SendNotificationInput!]!) {
  sendNotifications(inputs: $inputs) { intentId status error { code } }
}`
const events = `mutation Load($inputs: [EventInput!]!) {
  publishEvents(inputs: $inputs) { intentId status error { code } }
}`
const single = `mutation Load($input: SendNotificationInput!) { sendNotification(input: $input) { id status } }`

interface Answer {
  data?: {
    sendNotifications?: { status: 'ACCEPTED' | 'DUPLICATE' | 'REJECTED' }[]
    publishEvents?: { status: 'ACCEPTED' | 'DUPLICATE' | 'REJECTED' }[]
    sendNotification?: { id: string; status: string }
  }
  errors?: { message: string; extensions?: { code?: string } }[]
}

/** The public way: bulk `sendNotifications` or `publishEvents`, or `sendNotification` where the kind is `single`. */
export function createGraphqlTransport({ url, apiKey, kind }: TransportTarget, profile: LoadProfile): Transport {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: 128, pipelining: 1 })
  const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' }
  if (apiKey) headers.authorization = `Bearer ${apiKey}`
  const write = createInputWriter(profile)
  const variable = kind === 'single' ? '"input":' : '"inputs":['
  const query = kind === 'single' ? single : profile.asEvents ? events : bulk
  const head = `{"query":${JSON.stringify(query)},"variables":{${variable}`
  const tail = kind === 'single' ? '}}' : ']}}'
  return {
    async send({ first, size, phase, intendedMs }) {
      let inputs = write(first, phase, intendedMs)
      for (let number = first + 1; number < first + size; number++) inputs += `,${write(number, phase, intendedMs)}`
      const answer = await pool.request({ method: 'POST', path: pathname, headers, body: head + inputs + tail })
      const text = await answer.body.text()
      if (answer.statusCode === 503 && answer.headers['retry-after'] !== undefined) {
        throw new RefusedError(Number(answer.headers['retry-after']) * 1_000)
      }
      if (answer.statusCode !== 200) throw new Error(`GraphQL answered ${answer.statusCode}: ${text.slice(0, 300)}`)
      return occurrences(text, '"status":"ACCEPTED"') === size
        ? { accepted: size, duplicates: 0, rejected: 0 }
        : readAnswer(JSON.parse(text) as Answer)
    },
    close: () => pool.close(),
  }
}

/** Whether all were accepted is seen without parsing; so it nearly always is. */
function occurrences(text: string, part: string): number {
  let count = 0
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++
  return count
}

function readAnswer({ data, errors }: Answer): LoadAnswer {
  const [fault] = errors ?? []
  if (fault || !data) throw new Error(`GraphQL answered ${fault?.extensions?.code}: ${fault?.message}`)
  // A single call answers with the notification as it stands: its status is that of its deliveries.
  if (data.sendNotification) return { accepted: 1, duplicates: 0, rejected: 0 }
  const results = data.sendNotifications ?? data.publishEvents ?? []
  const count = (status: string) => results.filter((result) => result.status === status).length
  return { accepted: count('ACCEPTED'), duplicates: count('DUPLICATE'), rejected: count('REJECTED') }
}
