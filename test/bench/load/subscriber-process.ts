/** Live subscribers in a process of their own: a WebSocket each (graphql-transport-ws), one inbox each. */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { serveParent } from '../child.ts'
import { monotonicMs, type Percentiles, percentilesOf } from '../statistics.ts'

export interface SubscriberTarget {
  url: string
  apiKey: string
  subscribers: number
}

export interface SubscriberReport extends Percentiles {
  received: number
  /** Events that came to somebody else's inbox, or a second time. */
  wrong: number
  firstFault?: string
}

const query = `subscription Inbox($userId: ID!) { notificationReceived(userId: $userId) { id recipientId subject } }`

const sockets: WebSocket[] = []
const seen = new Set<string>()
let report = { received: 0, wrong: 0, firstFault: undefined as string | undefined }
let delaysMs: number[] = []

interface Received {
  id: string
  recipientId: string
  /** When it should have been sent. */
  subject: string
}

function hear(userId: string, { id, recipientId, subject }: Received): void {
  if (recipientId !== userId || seen.has(id)) report.wrong++
  else delaysMs.push(monotonicMs() - Number(subject))
  seen.add(id)
  report.received++
}

async function subscribe({ url, apiKey }: SubscriberTarget, userId: string): Promise<void> {
  const socket = new WebSocket(url, 'graphql-transport-ws')
  sockets.push(socket)
  const acknowledged = Promise.withResolvers<void>()
  socket.on('close', (code) => {
    report.firstFault ??= `a subscription was closed: ${code}`
    acknowledged.reject(new Error(`closed: ${code}`))
  })
  socket.on('error', (error) => acknowledged.reject(error))
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as {
      type: string
      payload?: { data?: { notificationReceived: Received } }
    }
    if (message.type === 'connection_ack') acknowledged.resolve()
    else if (message.type === 'ping') socket.send('{"type":"pong"}')
    else if (message.payload?.data) hear(userId, message.payload.data.notificationReceived)
    else if (message.type !== 'pong') report.firstFault ??= String(data)
  })
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { apiKey } }))
  await acknowledged.promise
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables: { userId } } }))
}

serveParent({
  async subscribe(target: SubscriberTarget) {
    for (let first = 0; first < target.subscribers; first += 50) {
      const some = Array.from({ length: Math.min(50, target.subscribers - first) }, (_one, index) => first + index)
      await Promise.all(some.map((number) => subscribe(target, `subscriber-${number}`)))
    }
  },
  begin() {
    report = { received: 0, wrong: 0, firstFault: report.firstFault }
    delaysMs = []
  },
  received: () => report.received,
  report: (): SubscriberReport => ({ ...report, ...percentilesOf(delaysMs) }),
  stop() {
    for (const socket of sockets) {
      socket.removeAllListeners('close')
      socket.terminate()
    }
  },
})
