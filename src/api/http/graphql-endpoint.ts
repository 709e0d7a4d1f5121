import type { IncomingMessage, ServerResponse } from 'node:http'
import { createYoga } from 'graphql-yoga'
import { type ApiContext, type ApiServices, type Caller, createContext } from '../graphql/context.ts'
import { createErrorMask, type FaultCode, isUnavailable } from '../graphql/errors.ts'
import { useOperationLimits } from '../graphql/operation-limits.ts'
import { schema } from '../graphql/schema.ts'
import { type Authenticator, apiKeyOf, type Principal } from './authenticate.ts'
import { createShortWay, takesJson } from './graphql-short-way.ts'
import type { RateLimiter } from './rate-limit.ts'
import { setDataHeaders, setSecurityHeaders } from './security-headers.ts'
import { createTurns } from './turns.ts'

export const graphqlPath = '/graphql'

/** What the transport hands to GraphQL: who asks. Absent only for the GraphiQL page itself. */
interface ServerContext {
  caller: Caller
  /** In the place of the usual ones. */
  services?: ApiServices
}

export type Yoga = ReturnType<typeof createGraphql>

/** The GraphQL server, whatever carries it. */
export function createGraphql(services: ApiServices) {
  const { config, logger } = services
  return createYoga<ServerContext, ApiContext>({
    schema,
    graphqlEndpoint: graphqlPath,
    graphiql: config.NODE_ENV === 'production' ? false : { title: 'Carillon', defaultQuery: '' },
    landingPage: false,
    healthCheckEndpoint: '/graphql/health',
    cors: false,
    multipart: false,
    batching: false,
    maxRequestBodySize: config.API_MAX_BODY_BYTES,
    logging: false,
    context: ({ caller, services: own }) => createContext(own ?? services, caller),
    maskedErrors: { maskError: createErrorMask(logger) },
    plugins: [
      useOperationLimits({
        depth: config.GRAPHQL_MAX_DEPTH,
        aliases: config.GRAPHQL_MAX_ALIASES,
        cost: config.GRAPHQL_MAX_COST,
      }),
    ],
  })
}

export interface GraphqlEndpointDeps {
  yoga: Yoga
  services: ApiServices
  authenticator: Authenticator
  rateLimiter: RateLimiter
  isClosing(): boolean
}

/** Who a key belongs to, with the way to ask again later. */
export function callerOf(
  principal: Principal,
  key: string | undefined,
  authenticator: Authenticator,
  traceparent: string | undefined,
): Caller {
  return { principal, traceparent, stillStands: async () => (await authenticator.authenticate(key)) !== undefined }
}

/** An answer that is given before GraphQL begins. */
interface Refusal {
  status: number
  code: FaultCode
  message: string
  headers?: Record<string, string | number>
}

const stopping: Refusal = {
  status: 503,
  code: 'SHUTTING_DOWN',
  message: 'the service is stopping; send the request again',
  headers: { connection: 'close' },
}
const unauthenticated: Refusal = {
  status: 401,
  code: 'UNAUTHENTICATED',
  message: 'a valid API key is needed: Authorization: Bearer ck_…',
  headers: { 'www-authenticate': 'Bearer' },
}
const unavailable: Refusal = {
  status: 503,
  code: 'UNAVAILABLE',
  message: 'the database does not answer; send the request again',
}

const overloaded: Refusal = {
  status: 503,
  code: 'OVERLOADED',
  message: 'there is more work than can be done at the moment; send the request again later',
  headers: { 'retry-after': 1 },
}

const lookEveryMs = 20

const failed: Refusal = { status: 500, code: 'INTERNAL', message: 'something went wrong on our side' }

/** Answers /graphql: everything that is decided before the body is read, and then yoga. */
export function createGraphqlEndpoint(deps: GraphqlEndpointDeps) {
  const { yoga, services, authenticator, rateLimiter } = deps
  const { config, logger } = services
  const turns = createTurns()
  const answerShortly = createShortWay(yoga, services, turns)
  let waitingMs = 0
  let lookedMs = Number.NEGATIVE_INFINITY
  const offersGraphiql = config.NODE_ENV !== 'production'
  const tooLarge: Refusal = {
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
    message: `a request may have ${config.API_MAX_BODY_BYTES} bytes`,
    headers: { connection: 'close' },
  }

  function refusalOfRequest({ method, headers }: IncomingMessage): Refusal | undefined {
    if (method !== 'GET' && method !== 'POST') {
      const allow = { allow: 'GET, POST' }
      return { status: 405, code: 'BAD_USER_INPUT', message: 'GraphQL takes POST and GET', headers: allow }
    }
    if (method === 'POST' && !/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) {
      // A page of another site could send anything else without asking first.
      return { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE', message: 'send application/json' }
    }
    if (Number(headers['content-length'] ?? 0) > config.API_MAX_BODY_BYTES) return tooLarge
    return isOverloaded() ? overloaded : undefined
  }

  /** Whether requests wait too long already: further ones would only wait longer, and fill the memory. */
  function isOverloaded(): boolean {
    const now = performance.now()
    if (now - lookedMs > lookEveryMs) {
      lookedMs = now
      waitingMs = Math.max(turns.waitingMs(), services.accept.waitingMs())
    }
    return waitingMs > config.API_MAX_WAIT
  }

  function refusalOfCaller(principal: Principal): Refusal | undefined {
    const waitMs = rateLimiter.take(principal.keyId)
    if (waitMs === 0) return undefined
    const message = 'this API key sends more requests than it may'
    return { status: 429, code: 'RATE_LIMITED', message, headers: { 'retry-after': Math.ceil(waitMs / 1_000) } }
  }

  function answer(
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal | undefined,
    key: string | undefined,
  ): void {
    const refusal = principal ? refusalOfCaller(principal) : unauthenticated
    if (refusal || !principal) {
      refuse(request, response, refusal ?? unauthenticated)
      return
    }
    const traceparent = request.headers.traceparent
    const caller = callerOf(principal, key, authenticator, typeof traceparent === 'string' ? traceparent : undefined)
    if (request.method !== 'POST' || !takesJson(request.headers)) {
      setDataHeaders(response)
      void yoga(request, response, { caller })
      return
    }
    answerShortly(request, response, caller).then(
      (outcome) => {
        if (outcome === 'too large') refuse(request, response, tooLarge)
      },
      (error: unknown) => {
        if (request.errored || response.headersSent)
          response.destroy() // the caller has gone
        else {
          logger.error({ err: error }, 'a request failed through a fault of ours')
          refuse(request, response, failed)
        }
      },
    )
  }

  return function answerGraphql(request: IncomingMessage, response: ServerResponse): void {
    if (!deps.isClosing() && request.method === 'GET' && offersGraphiql && wantsPage(request)) {
      setSecurityHeaders(response)
      void yoga(request, response, {} as ServerContext)
      return
    }
    const refusal = deps.isClosing() ? stopping : refusalOfRequest(request)
    if (refusal) {
      refuse(request, response, refusal)
      return
    }
    const key = apiKeyOf(request.headers)
    const found = authenticator.authenticate(key)
    if (!(found instanceof Promise)) {
      answer(request, response, found, key) // a key that is remembered costs no wait
      return
    }
    found.then(
      (principal) => answer(request, response, principal, key),
      (error: unknown) => {
        logger[isUnavailable(error) ? 'warn' : 'error']({ err: error }, 'an API key could not be looked up')
        refuse(request, response, unavailable)
      },
    )
  }
}

function wantsPage(request: IncomingMessage): boolean {
  return /\btext\/html\b/.test(request.headers.accept ?? '') && !/[?&]query=/.test(request.url ?? '')
}

/** In the shape of a GraphQL answer, and in the media type that was asked for. */
function refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const preferred = 'application/graphql-response+json'
  const type = request.headers.accept?.includes(preferred) ? preferred : 'application/json'
  const body = JSON.stringify({ errors: [{ message: refusal.message, extensions: { code: refusal.code } }] })
  setDataHeaders(response)
  response.writeHead(refusal.status, {
    ...refusal.headers,
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
