import type pg from 'pg'
import type { Config } from '../config/config.ts'
import { configuredFeedEncoder } from '../pipeline/stream/feed-encoder.ts'
import type { Clock } from '../platform/clock.ts'
import { openPool } from '../platform/db.ts'
import { createIdSource } from '../platform/id-source.ts'
import { kafkaOptions, readableOnTheWay } from '../platform/kafka/connection.ts'
import { createTransactionalPublisher } from '../platform/kafka/transactional-publisher.ts'
import { createLeaderLock } from '../platform/leader-lock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Wake } from '../platform/wake.ts'
import { type Relay, type RelayMetrics, type RelayState, startRelay } from './relay.ts'

export interface RelayRoleDeps {
  config: Config
  /** In the role carillon_worker. */
  pool: pg.Pool
  databaseUrl: string
  clock: Clock
  logger: Logger
  metrics: RelayMetrics
  wake: Pick<Wake, 'on'>
  onState?: (state: RelayState) => void
}

/** For a relay in a thread of its own. */
export function openRelayPool(on: { databaseUrl: string; onError: (error: Error) => void }): pg.Pool {
  return openPool({
    databaseUrl: on.databaseUrl,
    role: 'carillon_worker',
    max: 2,
    applicationName: 'carillon_relay',
    onError: on.onError,
  })
}

/** The relay as the configuration wants it. */
export function startRelayRole(on: RelayRoleDeps): Relay {
  const { config, logger } = on
  const publisher =
    config.KAFKA_BROKERS.length === 0 ? undefined : createTransactionalPublisher({ ...kafkaOptions(config), logger })
  const readable = publisher && readableOnTheWay(config)
  if (readable) logger.warn(readable)
  return startRelay({
    pool: on.pool,
    publisher,
    leaderLock: createLeaderLock({ databaseUrl: on.databaseUrl, logger }),
    clock: on.clock,
    wake: on.wake,
    metrics: on.metrics,
    logger,
    encoder: configuredFeedEncoder(config, { on: on.pool, clock: on.clock, ids: createIdSource(on.clock) }),
    topicPrefix: config.KAFKA_TOPIC_PREFIX,
    partitions: config.KAFKA_PARTITIONS,
    replication: config.KAFKA_REPLICATION,
    retentionMs: config.KAFKA_RETENTION,
    idlePollMs: config.POLL_IDLE,
    onState: on.onState,
  })
}
