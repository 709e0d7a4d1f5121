import type { IncomingHttpHeaders } from 'node:http'
import { Agent, buildConnector, type Dispatcher } from 'undici'
import { type AddressGuard, AddressRefusedError } from './address-guard.ts'

/** Why there was no answer: a closed set, said in words that hold no address. */
export type ExchangeFault = 'timeout' | 'stopped' | 'address_refused' | 'connection'

/** How the body ended: whole, cut by us at `maxBodyBytes`, or broken off by the wire or the deadline. */
export type BodyEnd = 'whole' | 'too_large' | 'broken_off'

export type Exchange =
  | { kind: 'answered'; status: number; headers: IncomingHttpHeaders; body: Buffer; bodyEnd: BodyEnd }
  /** `sent` is the point of no return: from it on the other side may have acted on the request. */
  | { kind: 'failed'; sent: boolean; fault: ExchangeFault; code: string }

export interface ExchangeRequest {
  url: URL
  method: 'GET' | 'POST'
  headers: Record<string, string>
  body?: Buffer
  /** For all of it: waiting for a connection, connecting, sending, reading. */
  timeoutMs: number
  /** Reading stops here, and what was read is the answer. */
  maxBodyBytes: number
  signal: AbortSignal
}

export interface GuardedAgentOptions {
  guard: AddressGuard
  /** Requests in flight per origin; the rest wait their turn within their own timeout. */
  connections: number
  connectTimeoutMs: number
  /** Extra trusted certificate authorities, PEM. */
  ca?: string
}

/** One pooled client for a provider whose URLs are chosen by tenants. It follows no redirects: nothing here could. */
export function createGuardedAgent(options: GuardedAgentOptions): Agent {
  const connect = buildConnector({
    lookup: options.guard.lookup,
    timeout: options.connectTimeoutMs,
    allowH2: false, // so that `connections` is the bound in flight
    ...(options.ca === undefined ? {} : { ca: options.ca }),
  })
  return new Agent({
    connections: options.connections,
    pipelining: 1,
    headersTimeout: 0, // the exchange has one deadline for everything
    bodyTimeout: 0,
    connect: (target, callback) =>
      options.guard.permitsLiteral(target.hostname)
        ? connect(target, callback)
        : callback(new AddressRefusedError(), null),
  })
}

/**
 * One request and its bounded answer. It drives `dispatch` and not `request`, because only the handler learns when the
 * request was put on the wire, and that decides between "failed" and "unknown".
 */
export function exchange(agent: Dispatcher, request: ExchangeRequest): Promise<Exchange> {
  const { promise, resolve } = Promise.withResolvers<Exchange>()
  let controller: Dispatcher.DispatchController | undefined
  let stoppedBy: 'timeout' | 'stopped' | undefined
  let answer: { status: number; headers: IncomingHttpHeaders } | undefined
  let isOver = false
  let size = 0
  const chunks: Buffer[] = []

  const deadline = setTimeout(() => stop('timeout'), request.timeoutMs)
  const onAbort = () => stop('stopped')
  request.signal.addEventListener('abort', onAbort, { once: true })

  function finish(bodyEnd: BodyEnd, failure?: { fault: ExchangeFault; code: string }): void {
    if (isOver) return
    isOver = true
    clearTimeout(deadline)
    request.signal.removeEventListener('abort', onAbort)
    if (answer) resolve({ kind: 'answered', ...answer, body: Buffer.concat(chunks), bodyEnd })
    else if (failure) resolve({ kind: 'failed', sent: controller !== undefined, ...failure })
  }

  /** A status that has come stands, however its body ends. */
  function stop(by: 'timeout' | 'stopped'): void {
    stoppedBy = by
    finish('broken_off', { fault: by, code: by })
    controller?.abort(new Error(by))
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      // Called with a connection in hand and before the first byte: one given up while waiting is never sent.
      if (stoppedBy) return started.abort(new Error(stoppedBy))
      controller = started
    },
    onResponseStart(_controller, status, headers) {
      if (status >= 200) answer = { status, headers }
    },
    onResponseData(reading, chunk) {
      if (isOver) return
      chunks.push(chunk.subarray(0, request.maxBodyBytes - size))
      size += chunk.length
      if (size <= request.maxBodyBytes) return
      finish('too_large')
      reading.abort(new Error('enough read'))
    },
    onResponseEnd: () => finish('whole'),
    onResponseError: (_controller, error) => finish('broken_off', describeFault(error)),
  }

  if (request.signal.aborted) stop('stopped')
  else {
    const { url, method, headers, body } = request
    agent.dispatch(
      { origin: url.origin, path: url.pathname + url.search, method, headers, body: body ?? null },
      handler,
    )
  }
  return promise
}

function describeFault(error: NodeJS.ErrnoException): { fault: ExchangeFault; code: string } {
  if (error instanceof AddressRefusedError) return { fault: 'address_refused', code: error.code }
  return { fault: 'connection', code: error.code ?? error.name }
}
