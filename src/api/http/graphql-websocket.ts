import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionArgs, ExecutionResult } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import type { ApiServices } from '../graphql/context.ts'
import { createErrorMask, fault, isUnavailable } from '../graphql/errors.ts'
import { type Authenticator, apiKeyOf, type Principal } from './authenticate.ts'
import { callerOf, graphqlPath, type Yoga } from './graphql-endpoint.ts'
import type { RateLimiter } from './rate-limit.ts'

const keepAliveMs = 12_000

/** What a connection carries once it is acknowledged. */
interface Connected extends Record<PropertyKey, unknown> {
  principal?: Principal
  apiKey?: string
}

/** What the engine adds to the arguments, so that its plugins run. */
type EngineArgs = ExecutionArgs & {
  execute(args: ExecutionArgs): unknown
  subscribe(args: ExecutionArgs): unknown
}

export interface GraphqlWebSocketDeps {
  server: Server
  yoga: Yoga
  services: ApiServices
  authenticator: Authenticator
  rateLimiter: RateLimiter
}

export interface GraphqlWebSocket {
  /** Says goodbye to every connection, and waits for them to go. */
  close(): Promise<void>
  /** Cuts those that have not gone. */
  cut(): void
}

/**
 * GraphQL over WebSocket (graphql-transport-ws) on the same server and path. The key comes with the upgrade, or in the
 * connection's parameters as `apiKey`; without a valid one the connection is closed with 4403.
 */
export function serveGraphqlWebSocket(deps: GraphqlWebSocketDeps): GraphqlWebSocket {
  const { server, yoga, services, authenticator, rateLimiter } = deps
  const sockets = new WebSocketServer({ noServer: true, maxPayload: services.config.API_MAX_BODY_BYTES })
  const mask = createErrorMask(services.logger)

  const graphql = useServer<Record<string, unknown> | undefined, Connected>(
    {
      isProd: services.config.NODE_ENV === 'production',
      onConnect: async ({ connectionParams, extra }) => {
        const given = connectionParams?.apiKey
        const key = typeof given === 'string' ? given : apiKeyOf(extra.request.headers)
        try {
          extra.principal = await authenticator.authenticate(key)
        } catch (error) {
          services.logger[isUnavailable(error) ? 'warn' : 'error']({ err: error }, 'an API key could not be looked up')
          extra.socket.close(1013, 'Try again later')
          return
        }
        extra.apiKey = key
        return extra.principal !== undefined
      },
      onSubscribe: async ({ extra }, _id, params) => {
        const principal = await authenticator.authenticate(extra.apiKey)
        if (!principal) return [fault('UNAUTHENTICATED', 'this API key has been revoked')]
        if (rateLimiter.take(principal.keyId) > 0) {
          return [fault('RATE_LIMITED', 'this API key sends more requests than it may')]
        }
        const caller = callerOf(principal, extra.apiKey, authenticator, undefined)
        const engine = yoga.getEnveloped({ caller } as Parameters<Yoga['getEnveloped']>[0])
        try {
          const document = engine.parse(params.query)
          const faults = engine.validate(engine.schema, document)
          if (faults.length > 0) return faults
          return {
            schema: engine.schema,
            operationName: params.operationName,
            document,
            variableValues: params.variables,
            contextValue: await engine.contextFactory(),
            execute: engine.execute,
            subscribe: engine.subscribe,
          } as ExecutionArgs
        } catch (error) {
          return [mask(error)]
        }
      },
      execute: (args) => answered((args as EngineArgs).execute(args)),
      subscribe: (args) => answered((args as EngineArgs).subscribe(args)),
    },
    sockets,
    keepAliveMs,
  )

  /** A fault is an answer, and the end of its own operation: it does not close the connection of the others. */
  async function answered(result: unknown): Promise<ExecutionResult | AsyncIterable<ExecutionResult>> {
    try {
      const settled = (await result) as ExecutionResult | AsyncIterable<ExecutionResult>
      return Symbol.asyncIterator in settled ? untilFault(settled) : settled
    } catch (error) {
      return { errors: [mask(error)] }
    }
  }

  function untilFault(results: AsyncIterable<ExecutionResult>): AsyncIterableIterator<ExecutionResult> {
    const source = results[Symbol.asyncIterator]()
    let ended = false
    return {
      async next() {
        if (ended) return { done: true, value: undefined }
        try {
          return await source.next()
        } catch (error) {
          ended = true
          return { done: false, value: { errors: [mask(error)] } }
        }
      },
      return: async () => {
        ended = true
        await source.return?.()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const path = request.url?.split('?', 1)[0]
    if (path !== graphqlPath) {
      socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => sockets.emit('connection', webSocket, request))
  }
  server.on('upgrade', upgrade)

  return {
    async close() {
      server.off('upgrade', upgrade)
      await graphql.dispose()
    },
    cut() {
      for (const socket of sockets.clients) socket.terminate()
    },
  }
}
