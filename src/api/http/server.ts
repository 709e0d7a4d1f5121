import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { CaptureMailbox } from '../../channels/capture/capture-mailbox.ts'
import type { Config } from '../../config/config.ts'
import type { Coalescer } from '../../pipeline/accept/coalescer.ts'
import type { Clock } from '../../platform/clock.ts'
import type { IdSource } from '../../platform/id-source.ts'
import type { ApiServices } from '../graphql/context.ts'
import { createLiveReads } from '../graphql/live-reads.ts'
import { createSubscriptionGate } from '../graphql/subscription-gate.ts'
import type { LiveFeed } from '../live-feed-port.ts'
import { createAuthenticator } from './authenticate.ts'
import { createGraphql, createGraphqlEndpoint, graphqlPath } from './graphql-endpoint.ts'
import { serveGraphqlWebSocket } from './graphql-websocket.ts'
import { listen } from './listen.ts'
import { registerMetrics } from './metrics.ts'
import { createRateLimiter } from './rate-limit.ts'
import { createRoutes, type Readiness } from './routes.ts'

const subscriptionsPerKey = 1_000
const keepAliveTimeoutMs = 65_000 // longer than a load balancer's, so that it never meets a connection we just closed

export interface ApiServerDeps {
  config: Config
  /** Role carillon_api. */
  pool: pg.Pool
  accept: Coalescer
  clock: Clock
  ids: IdSource
  logger: Logger
  feed: LiveFeed
  metrics: Registry
  readiness(): Promise<Readiness>
  /** Only in development. */
  mailbox?: Pick<CaptureMailbox, 'list' | 'get'>
  /** Role carillon_worker, for the metrics that concern every tenant; without it they are left out. */
  statePool?: pg.Pool
  /** Hears of webhook endpoints that were subscribed to status events. */
  onSubscribed?(): void
  /** Default 1000. */
  subscriptionsPerKey?: number
}

export interface ApiServer {
  /** Throws OperationalError PORT_IN_USE or LISTEN_FAILED. */
  listen(): Promise<{ url: string; port: number }>
  /** Takes no more, ends subscriptions, and waits for requests in flight, at most so long. Call it once. */
  close(graceMs: number): Promise<void>
}

/** The HTTP side of the service: GraphQL by its own short way, everything else by express. */
export function createApiServer(deps: ApiServerDeps): ApiServer {
  const { config, pool, clock, logger } = deps
  let closing = false
  const isClosing = () => closing
  const mailbox = config.NODE_ENV === 'production' ? undefined : deps.mailbox
  const subscriptions = createSubscriptionGate(deps.subscriptionsPerKey ?? subscriptionsPerKey)
  const services: ApiServices = {
    pool,
    accept: deps.accept,
    clock,
    ids: deps.ids,
    logger,
    feed: deps.feed,
    liveReads: createLiveReads(pool, clock),
    config,
    subscriptions,
    mailbox,
    onSubscribed: () => deps.onSubscribed?.(),
  }
  const authenticator = createAuthenticator({ pool, clock })
  const rateLimiter = createRateLimiter(config.API_RATE_LIMIT, () => performance.now())
  const yoga = createGraphql(services)
  const answerGraphql = createGraphqlEndpoint({ yoga, services, authenticator, rateLimiter, isClosing })
  const routes = createRoutes({
    metrics: deps.metrics,
    readiness: deps.readiness,
    isClosing,
    logger,
    unsubscribe: { pool, clock },
    mailbox,
  })
  const openSubscriptions = () => subscriptions.open
  registerMetrics({ registry: deps.metrics, pool, statePool: deps.statePool, openSubscriptions, clock, logger })

  const server = createServer({ keepAliveTimeout: keepAliveTimeoutMs, headersTimeout: keepAliveTimeoutMs + 1_000 })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const url = request.url ?? ''
    const isGraphql =
      url.startsWith(graphqlPath) && (url.length === graphqlPath.length || url[graphqlPath.length] === '?')
    if (isGraphql) answerGraphql(request, response)
    else routes(request, response)
  })
  const webSocket = serveGraphqlWebSocket({ server, yoga, services, authenticator, rateLimiter })

  return {
    listen: () => listen(server, config, logger),
    async close(graceMs) {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      subscriptions.close()
      const late = setTimeout(() => {
        logger.warn({ graceMs }, 'requests are still in flight; their connections are cut')
        webSocket.cut()
        server.closeAllConnections()
      }, graceMs)
      await webSocket.close()
      server.closeIdleConnections()
      await closed
      clearTimeout(late)
    },
  }
}
