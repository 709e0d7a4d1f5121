import type pg from 'pg'
import type { Config } from '../config/config.ts'
import type { Clock } from '../platform/clock.ts'
import { createKafkaPublisher, kafkaOptions } from '../platform/kafka.ts'
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

/** The relay as the configuration wants it. */
export function startRelayRole(on: RelayRoleDeps): Relay {
  const { config, logger } = on
  const publisher =
    config.KAFKA_BROKERS.length === 0 ? undefined : createKafkaPublisher({ ...kafkaOptions(config), logger })
  return startRelay({
    pool: on.pool,
    publisher,
    leaderLock: createLeaderLock({ databaseUrl: on.databaseUrl, logger }),
    clock: on.clock,
    wake: on.wake,
    metrics: on.metrics,
    logger,
    topicPrefix: config.KAFKA_TOPIC_PREFIX,
    partitions: config.KAFKA_PARTITIONS,
    replication: config.KAFKA_REPLICATION,
    idlePollMs: config.POLL_IDLE,
    onState: on.onState,
  })
}
