import type pg from 'pg'
import type { Config } from '../config/config.ts'
import { createBacklog } from '../pipeline/accept/backlog.ts'
import { bridgeReading } from '../pipeline/accept/bridge-reading.ts'
import type { Clock } from '../platform/clock.ts'
import { openPool } from '../platform/db.ts'
import { createIdSource } from '../platform/id-source.ts'
import { kafkaOptions } from '../platform/kafka/connection.ts'
import type { Logger } from '../platform/logger.ts'
import type { Wake } from '../platform/wake.ts'
import { type Bridge, type BridgeMetrics, type BridgeState, startBridge } from './bridge.ts'

export interface BridgeRoleDeps {
  config: Config
  /** By openBridgePool. */
  pool: pg.Pool
  clock: Clock
  logger: Logger
  metrics: BridgeMetrics
  wake: Pick<Wake, 'ring'>
  onState?: (state: BridgeState) => void
}

const sessionTimeoutMs = 15_000

/** A connection for each partition that lands at once, and one. */
export function openBridgePool(on: { config: Config; databaseUrl: string; onError: (error: Error) => void }): pg.Pool {
  return openPool({
    databaseUrl: on.databaseUrl,
    role: 'carillon_worker',
    max: on.config.BRIDGE_CONCURRENCY + 1,
    statementTimeoutMs: 60_000,
    lockTimeoutMs: 20_000,
    idleInTransactionMs: sessionTimeoutMs,
    applicationName: 'carillon_bridge',
    onError: on.onError,
  })
}

/** The bridge as the configuration wants it. */
export function startBridgeRole(on: BridgeRoleDeps): Bridge {
  const { config, pool, clock, logger } = on
  return startBridge({
    ...bridgeReading(config, clock),
    pool,
    ids: createIdSource(clock),
    kafka: { ...kafkaOptions(config), logger },
    groupId: config.BRIDGE_GROUP,
    sessionTimeoutMs,
    concurrency: config.BRIDGE_CONCURRENCY,
    startAt: config.BRIDGE_START,
    backlog: { ageMs: createBacklog({ pool, logger }).ageMs, mostMs: config.BACKLOG_MAX_AGE },
    clock,
    logger,
    metrics: on.metrics,
    ring: (topic) => on.wake.ring(topic),
    onState: on.onState,
  })
}
