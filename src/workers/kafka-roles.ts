import type pg from 'pg'
import type { Config } from '../config/config.ts'
import type { Clock } from '../platform/clock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Wake } from '../platform/wake.ts'
import type { Bridge, BridgeMetrics } from './bridge.ts'
import type { Relay, RelayMetrics } from './relay.ts'
import { startRoleThread } from './role-thread.ts'

/*
 * The roles that speak with Kafka, as a process runs them: in a thread of their own where it has others beside them, and
 * only then does it load a client of Kafka.
 */

export interface KafkaRoleDeps {
  config: Config
  databaseUrl: string
  clock: Clock
  logger: Logger
  metrics: Metrics
  wake: Pick<Wake, 'on' | 'ring'>
  /** This process has nothing else to do. */
  alone: boolean
  /** Hears of what is to be closed after the role has stopped. */
  onPool(pool: pg.Pool): void
}

/** Without brokers it switches the lane off. */
export async function startRelayHere(on: KafkaRoleDeps & { pool: pg.Pool }): Promise<Relay> {
  const { config, databaseUrl, wake, logger } = on
  const metrics: RelayMetrics = {
    published: (events) => on.metrics.relayedEvents.inc(events),
    failed: (reason) => on.metrics.relayFailures.inc({ reason }),
  }
  if (!on.alone && config.KAFKA_BROKERS.length > 0) {
    return startRoleThread('relay', { data: { config, databaseUrl }, metrics, wake, logger })
  }
  const { startRelayRole } = await import('./relay-role.ts')
  return startRelayRole({ ...on, metrics })
}

/** undefined: nobody has said what it is to read, and this process has other things to do. */
export async function startBridgeHere(on: KafkaRoleDeps): Promise<Bridge | undefined> {
  const { config, databaseUrl, wake, logger } = on
  const metrics = bridgeMetrics(on.metrics)
  if (!on.alone) {
    if (config.KAFKA_BROKERS.length === 0 || !config.BRIDGE_TOPICS?.length) return undefined
    return startRoleThread('bridge', { data: { config, databaseUrl }, metrics, wake, logger })
  }
  const { openBridgePool, startBridgeRole } = await import('./bridge-role.ts')
  const onError = (error: Error) => logger.error({ err: error }, 'a database connection failed')
  const pool = openBridgePool({ config, databaseUrl, onError })
  on.onPool(pool)
  return startBridgeRole({ ...on, pool, metrics })
}

/** Counts for a scrape; what is asked for by the bridge counts among the intents too. */
function bridgeMetrics({ bridgeMessages, bridgeLag, bridgeFailures, intents }: Metrics): BridgeMetrics {
  return {
    messages(topic, outcome, count) {
      bridgeMessages.inc({ topic, outcome }, count)
      const status = outcome === 'accepted' || outcome === 'duplicate' || outcome === 'conflict' ? outcome : undefined
      if (status) intents.inc({ source: 'kafka', status }, count)
    },
    lag: (topic, messages) => bridgeLag.set({ topic }, messages),
    failed: (reason) => bridgeFailures.inc({ reason }),
  }
}
