import { createRequire } from 'node:module'

interface Connection {
  /** By process.hrtime(); null before. */
  authenticatedAt: [number, number] | null
  /** A Long of milliseconds; 0: without end. */
  sessionLifetime: { toString(): string }
  requestQueue: RequestQueue
  isAuthenticated(): boolean
}

interface PushedRequest {
  entry: { apiKey: number; reject(error: unknown): void }
}

interface RequestQueue {
  pending: { rejected(error: unknown): void }[]
  push(request: PushedRequest): void
  checkPendingRequests(): void
}

interface Authenticator {
  connection: Connection
  authenticate(): Promise<void>
}

const renewBeforeMs = 10_000
const leastShare = 0.8
const loginRequests = [17, 36] // SaslHandshake, SaslAuthenticate

let installed = false

/**
 * Sessions that brokers end (KIP-368), as kafkajs 2.2.4 has to treat them:
 * - it logs in again ten seconds before the end, or after four fifths of a short session. By itself it takes the ten
 *   seconds always, so that in sessions shorter than that (a token near its end) it logs in before each request, and
 *   brokers refuse to hear of it twice in a second;
 * - while it logs in again, everything else waits. By itself it lets a request through that was being encoded when the
 *   login began, and the broker closes the connection on it (ILLEGAL_SASL_STATE).
 */
export function tameSessions(): void {
  const require = createRequire(import.meta.url)
  if (installed || require('kafkajs/package.json').version !== '2.2.4') return
  installed = true
  const connection: { prototype: Connection } = require('kafkajs/src/network/connection')
  connection.prototype.isAuthenticated = function (this: Connection) {
    if (this.authenticatedAt === null) return false
    const sessionMs = Number(this.sessionLifetime.toString())
    if (sessionMs === 0) return true
    const [seconds, nanoseconds] = process.hrtime(this.authenticatedAt)
    return seconds * 1_000 + nanoseconds / 1e6 < Math.max(sessionMs - renewBeforeMs, sessionMs * leastShare)
  }

  const heldBack = new WeakMap<RequestQueue, PushedRequest[]>()
  const queue: { prototype: RequestQueue } = require('kafkajs/src/network/requestQueue')
  const { push } = queue.prototype
  queue.prototype.push = function (this: RequestQueue, request: PushedRequest) {
    const held = heldBack.get(this)
    if (held && !loginRequests.includes(request.entry.apiKey)) held.push(request)
    else push.call(this, request)
  }
  const authenticator: { prototype: Authenticator } = require('kafkajs/src/broker/saslAuthenticator')
  const { authenticate } = authenticator.prototype
  authenticator.prototype.authenticate = async function (this: Authenticator) {
    const { requestQueue } = this.connection
    const held: PushedRequest[] = []
    const waiting = requestQueue.pending.splice(0)
    heldBack.set(requestQueue, held)
    try {
      await authenticate.call(this)
    } catch (error) {
      heldBack.delete(requestQueue)
      for (const request of waiting) request.rejected(error)
      for (const { entry } of held) entry.reject(error)
      throw error
    }
    heldBack.delete(requestQueue)
    requestQueue.pending.unshift(...waiting)
    requestQueue.checkPendingRequests()
    for (const request of held) requestQueue.push(request)
  }
}
