import { createServer } from 'node:http'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../platform/clock.ts'
import { listen } from './listen.ts'
import { registerMetrics } from './metrics.ts'
import { createRoutes, type Readiness } from './routes.ts'
import type { ApiServer } from './server.ts'

export interface OperationsServerDeps {
  config: Config
  /** Role carillon_worker. */
  pool: pg.Pool
  clock: Clock
  logger: Logger
  metrics: Registry
  readiness(): Promise<Readiness>
}

/** Health and metrics of a process that serves no API: workers and relays are watched like everything else. */
export function createOperationsServer(deps: OperationsServerDeps): ApiServer {
  const { config, pool, clock, logger, metrics: registry } = deps
  let closing = false
  registerMetrics({ registry, pool, statePool: pool, openSubscriptions: () => 0, clock, logger })
  const routes = createRoutes({ metrics: registry, readiness: deps.readiness, isClosing: () => closing, logger })
  const server = createServer(routes)
  return {
    listen: () => listen(server, config, logger),
    async close() {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
