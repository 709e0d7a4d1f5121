import type pg from 'pg'
import type { Config } from '../config/config.ts'
import type { Planner } from '../pipeline/accept/accept-batch.ts'
import { createBacklog } from '../pipeline/accept/backlog.ts'
import type { Clock } from '../platform/clock.ts'
import type { IdSource } from '../platform/id-source.ts'
import { createLeaderLock } from '../platform/leader-lock.ts'
import type { Logger } from '../platform/logger.ts'
import type { Metrics } from '../platform/metrics.ts'
import type { Wake } from '../platform/wake.ts'
import { type StatusWebhooks, startStatusWebhooks } from './status-webhooks.ts'

export interface StatusWebhooksRoleDeps {
  config: Config
  /** In the role carillon_worker. */
  pool: pg.Pool
  databaseUrl: string
  clock: Clock
  ids: IdSource
  logger: Logger
  metrics: Metrics
  wake: Wake
  /** The workers of this process. */
  planner: Planner
}

/** The lane of status webhooks as the configuration wants it; every worker process stands for its lead. */
export function startStatusWebhooksRole(on: StatusWebhooksRoleDeps): StatusWebhooks {
  const { config, pool, clock, ids, logger, metrics, wake } = on
  return startStatusWebhooks({
    pool,
    leaderLock: createLeaderLock({ databaseUrl: on.databaseUrl, logger }),
    clock,
    ids,
    wake,
    planner: on.planner,
    backlog: createBacklog({ pool, logger }),
    keyTtlMs: config.IDEMPOTENCY_KEY_TTL,
    chunkSize: Math.min(500, config.WORKER_CHUNK),
    idlePollMs: config.POLL_IDLE,
    metrics: {
      accepted: (webhooks) => metrics.intents.inc({ source: 'system', status: 'accepted' }, webhooks),
      failed: (reason) => metrics.statusWebhookFailures.inc({ reason }),
    },
    logger,
  })
}
