import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ExecutionResult, GraphQLFormattedError } from 'graphql'
import type { ApiServices, Caller } from '../graphql/context.ts'
import { createSendShortly, type Operation } from '../graphql/send-shortly.ts'
import type { Yoga } from './graphql-endpoint.ts'
import { dataHeaders, setDataHeaders } from './security-headers.ts'
import type { Turns } from './turns.ts'

const ownType = 'application/graphql-response+json'
const params = new Set(['query', 'variables', 'operationName', 'extensions'])

type GraphQLParams = Parameters<Yoga['getResultForParams']>[0]['params']
type Answer = ExecutionResult | AsyncIterable<ExecutionResult>
type ShortRequest = Parameters<Yoga['getResultForParams']>[0]['request']

/** Whether the caller takes one JSON answer: nothing said, anything, or one of the two media types of GraphQL. */
export function takesJson({ accept }: IncomingMessage['headers']): boolean {
  if (accept === undefined || accept === '*/*' || accept === 'application/json') return true
  return !/text\/event-stream|multipart\//.test(accept) && /application\/(graphql-response\+)?json/.test(accept)
}

export type AnswerShortly = (
  request: IncomingMessage,
  response: ServerResponse,
  caller: Caller,
) => Promise<'answered' | 'too large'>

/**
 * Reads a POST, lets yoga execute it, and writes the answer, all on Node's own request and response. Yoga's way over
 * fetch's Request and Response took two thirds of a send's processor time: 0.32 ms with it, 0.11 ms without. What sends
 * does without yoga too where it can: 0.02 ms. Whatever is not an ordinary operation goes yoga's way after all, so that its
 * faults are told in one place.
 */
export function createShortWay(yoga: Yoga, services: ApiServices, turns: Turns): AnswerShortly {
  const { config, logger } = services
  const sendShortly = createSendShortly(services, (query) => {
    const engine = yoga.getEnveloped({} as Parameters<Yoga['getEnveloped']>[0])
    try {
      const document = engine.parse(query)
      return engine.validate(engine.schema, document).length === 0 ? document : undefined
    } catch (error) {
      logger.debug({ err: error }, 'a query could not be read') // its caller is told
      return undefined
    }
  })

  async function execute(operation: Operation, url: string | undefined, caller: Caller): Promise<Answer> {
    const short = await sendShortly(operation, caller)
    if (short && 'data' in short) return short
    const request = { method: 'POST', url, headers: new Headers() } as ShortRequest
    const context = { caller, request, services: short?.services }
    return (await yoga.getResultForParams({ params: operation as GraphQLParams, request }, context)) as Answer
  }

  return async (request, response, caller) => {
    const body = await readBody(request, config.API_MAX_BODY_BYTES)
    if (body === undefined) return 'too large'
    await turns.take(body.length)
    const operation = parseOperation(body)
    if (!operation) {
      setDataHeaders(response)
      // Taken by the adapter as the body that has been read already.
      await yoga(Object.assign(request, { body: body || ' ' }), response, { caller })
      return 'answered'
    }
    const answer = await execute(operation, request.url, caller)
    if (Symbol.asyncIterator in answer) {
      await answer[Symbol.asyncIterator]().return?.()
      write(response, 406, ownType, JSON.stringify({ errors: [subscriptionsNeedStream] }))
      return 'answered'
    }
    const type = request.headers.accept?.includes(ownType) ? ownType : 'application/json'
    write(response, statusOf(answer, type), type, stringify(answer), headersOf(answer))
    return 'answered'
  }
}

const subscriptionsNeedStream = {
  message: 'a subscription is answered over WebSocket, or with accept: text/event-stream',
  extensions: { code: 'BAD_USER_INPUT' },
}

/** undefined: it is larger than it may be; the rest of it is left unread. */
function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let bytes = 0
    request.on('data', (piece: Buffer) => {
      bytes += piece.length
      if (bytes > maxBytes) {
        request.pause()
        resolve(undefined)
      } else pieces.push(piece)
    })
    request.on('end', () => resolve(pieces.length === 1 ? pieces[0]!.toString() : Buffer.concat(pieces).toString()))
    request.on('error', reject)
  })
}

/** The body, if it is an operation and nothing else. */
function parseOperation(body: string): Operation | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return undefined // yoga says what is wrong with it
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return undefined
  for (const name in parsed) if (!params.has(name)) return undefined
  const { query, variables, operationName } = parsed as Record<string, unknown>
  if (typeof query !== 'string' || query === '') return undefined
  if (variables != null && (typeof variables !== 'object' || Array.isArray(variables))) return undefined
  if (operationName != null && typeof operationName !== 'string') return undefined
  return parsed as Operation
}

interface HttpExtension {
  status?: number
  headers?: Record<string, string>
  /** Only where the caller takes GraphQL's own media type: application/json is always 200. */
  spec?: boolean
}

function statusOf({ errors }: ExecutionResult, type: string): number {
  let status = 200
  for (const error of errors ?? []) {
    const http = error.extensions?.http as HttpExtension | undefined
    if (http?.status === undefined || (http.spec && type !== ownType)) continue
    status = Math.max(status, http.status)
  }
  return status
}

function headersOf({ errors }: ExecutionResult): string[] {
  return (errors ?? []).flatMap(({ extensions }) =>
    Object.entries((extensions?.http as HttpExtension)?.headers ?? {}).flat(),
  )
}

/** What errors say to the transport is not for the caller. */
function stringify(answer: ExecutionResult): string {
  if (!answer.errors) return JSON.stringify(answer)
  const errors = answer.errors.map((error): GraphQLFormattedError => {
    const { http: _http, unexpected: _unexpected, ...extensions } = error.extensions ?? {}
    return { message: error.message, locations: error.locations, path: error.path, extensions }
  })
  return JSON.stringify({ ...answer, errors })
}

function write(response: ServerResponse, status: number, type: string, body: string, headers: string[] = []): void {
  const length = Buffer.byteLength(body)
  // A list of names and values is taken as it is; headers that were set one by one would be copied, and copied again.
  response.writeHead(status, [
    ...dataHeaders,
    ...headers,
    'content-type',
    `${type}; charset=utf-8`,
    'content-length',
    String(length),
  ])
  response.end(body, length === body.length ? 'latin1' : 'utf8') // the same bytes, and told faster
}
