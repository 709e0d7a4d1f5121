import type pg from 'pg'
import type { PgBoss } from 'pg-boss'
import { createOperationsServer } from './api/http/operations-server.ts'
import { type ApiServer, createApiServer } from './api/http/server.ts'
import { createCaptureMailbox } from './channels/capture/capture-mailbox.ts'
import type { Provider } from './channels/port.ts'
import { closeProviders, createProviders } from './channels/registry.ts'
import { captureSettings, channelSettings } from './channels/settings.ts'
import type { Config } from './config/config.ts'
import { publicUrlOf } from './config/public-url.ts'
import type { Channel } from './domain/channel.ts'
import { acceptBatch } from './pipeline/accept/accept-batch.ts'
import { createBacklog } from './pipeline/accept/backlog.ts'
import { type Coalescer, createCoalescer } from './pipeline/accept/coalescer.ts'
import { createLiveFeed, type LiveFeed } from './pipeline/stream/live-feed.ts'
import { type Clock, systemClock } from './platform/clock.ts'
import { openPool, type Role } from './platform/db.ts'
import { createIdSource, type IdSource } from './platform/id-source.ts'
import type { Logger } from './platform/logger.ts'
import { releaseStartupMemory } from './platform/memory.ts'
import { createMetrics, type Metrics } from './platform/metrics.ts'
import { createWake, statusEventsTopic, type Wake } from './platform/wake.ts'
import { createBoss } from './queue/boss.ts'
import { maintenanceQueue, workQueues } from './queue/queues.ts'
import { checkReadiness } from './store/readiness.ts'
import type { Bridge } from './workers/bridge.ts'
import { startBridgeHere, startRelayHere } from './workers/kafka-roles.ts'
import type { Relay } from './workers/relay.ts'
import { subscriptionsTopic } from './workers/status-webhooks.ts'
import { startStatusWebhooksRole } from './workers/status-webhooks-role.ts'
import { startWorkers, type Workers } from './workers/workers.ts'

export const roles = ['all', 'api', 'worker', 'relay', 'bridge'] as const
export type AppRole = (typeof roles)[number]

export interface AppOptions {
  config: Config
  databaseUrl: string
  role: AppRole
  logger: Logger
  clock?: Clock
  /** For tests and the bench: providers instead of the configured ones. */
  providers?: Map<Channel, Provider>
}

export interface App {
  /** Where this process serves: the API, or health and metrics alone. */
  url?: string
  accept?: Coalescer
  metrics: Metrics
  relayState(): ReturnType<Relay['state']> | 'off'
  bridgeState(): ReturnType<Bridge['state']>
  /** Takes nothing new, finishes or hands back what is under way within the configured patience, closes everything. */
  stop(): Promise<void>
}

/**
 * How long a statement may take, and wait for a lock. An API request that meets a key of an open transaction waits inside
 * a commit that others share, so it does not wait for long.
 */
const patience = {
  carillon_api: { statementTimeoutMs: 15_000, lockTimeoutMs: 500 },
  carillon_worker: { statementTimeoutMs: undefined, lockTimeoutMs: 20_000 },
}

/** Of a worker's connections those that serve the queue, the relay and the daily duties. */
const queuePool = 4
/** Beside them: one to read the log ahead and one to write, opened while somebody is subscribed to status events. */
const statusWebhooksPool = 2

/** Puts the parts of one process together and starts them: the only place that knows them all. */
export async function startApp(options: AppOptions): Promise<App> {
  const { config, databaseUrl, role, logger } = options
  const clock = options.clock ?? systemClock
  const ids = createIdSource(clock)
  const metrics = createMetrics()
  const has = (part: Exclude<AppRole, 'all'>) => role === 'all' || role === part
  // Quiesced at once, then closed side by side within the patience, then everything below them, the last first.
  const serving: ((graceMs: number) => Promise<void>)[] = []
  const closing: (() => Promise<void>)[] = []
  const onError = (error: Error) => logger.error({ err: error }, 'a database connection failed')
  const pool = (as: Role, max: number, flow = false) => {
    return closed(openPool({ databaseUrl, role: as, max, flow, ...patience[as], applicationName: as, onError }))
  }
  const closed = (opened: pg.Pool) => {
    closing.push(() => opened.end())
    return opened
  }
  const quiescing: (() => void)[] = []
  const stopAll = async () => {
    for (const quiesce of quiescing) quiesce()
    await Promise.all(serving.splice(0).map((close) => close(config.SHUTDOWN_TIMEOUT)))
    for (const close of closing.splice(0).reverse()) await close()
  }

  try {
    const wake = createWake({ databaseUrl, logger })
    closing.push(() => wake.close())
    const parts: { workers?: Workers; relay?: Relay; bridge?: Bridge; accept?: Coalescer; url?: string } = {}

    const workerPool = has('worker') || has('relay') || has('bridge') ? pool('carillon_worker', queuePool) : undefined
    const alone = role !== 'all'
    const kafkaRole = { config, databaseUrl, clock, logger, metrics, wake, alone, onPool: closed }
    if (has('relay') && workerPool) {
      const relay = await startRelayHere({ ...kafkaRole, pool: workerPool })
      parts.relay = relay
      serving.push(() => relay.stop())
    }
    const bridge = has('bridge') ? await startBridgeHere(kafkaRole) : undefined
    if (bridge) {
      parts.bridge = bridge
      serving.push(() => bridge.stop())
    }
    if (has('worker') && workerPool) {
      const workers = await startWorkerRole({
        config,
        pool: pool('carillon_worker', config.DATABASE_POOL_WORKER - queuePool, true),
        bossPool: workerPool,
        clock,
        ids,
        logger,
        metrics,
        wake,
        providers: options.providers,
        publicUrl: () => publicUrlOf(config, has('api') ? parts.url : undefined),
      })
      parts.workers = workers
      serving.push(workers.stop)
      quiescing.push(workers.quiesce)
      const statusWebhooks = startStatusWebhooksRole({
        config,
        pool: pool('carillon_worker', statusWebhooksPool),
        databaseUrl,
        clock,
        ids,
        logger,
        metrics,
        wake,
        planner: workers,
      })
      serving.push(() => statusWebhooks.stop())
    }
    if (has('api')) {
      const apiPool = pool('carillon_api', config.DATABASE_POOL_API)
      const statePool = workerPool ?? pool('carillon_worker', 2)
      const { server, accept, feed } = createApiRole({
        config,
        pool: apiPool,
        statePool,
        workers: parts.workers,
        clock,
        ids,
        logger,
        metrics,
        wake,
      })
      closing.push(
        () => feed.close(),
        () => accept.close(),
      )
      serving.push((graceMs) => server.close(graceMs))
      parts.accept = accept
      parts.url = (await server.listen()).url
    } else if (workerPool) {
      const readiness = () => checkReadiness(workerPool)
      const server = createOperationsServer({
        config,
        pool: workerPool,
        clock,
        logger,
        metrics: metrics.registry,
        readiness,
      })
      serving.push((graceMs) => server.close(graceMs))
      parts.url = (await server.listen()).url
    }
    releaseStartupMemory(logger)
    return {
      url: parts.url,
      accept: parts.accept,
      metrics,
      relayState: () => parts.relay?.state() ?? 'off',
      bridgeState: () => parts.bridge?.state() ?? 'off',
      stop: stopAll,
    }
  } catch (error) {
    await stopAll()
    throw error
  }
}

interface Shared {
  config: Config
  pool: pg.Pool
  clock: Clock
  ids: IdSource
  logger: Logger
  metrics: Metrics
  wake: Wake
}

async function startWorkerRole(
  on: Shared & { bossPool: pg.Pool; providers?: Map<Channel, Provider>; publicUrl(): string | undefined },
): Promise<Workers> {
  const { config, bossPool, clock, logger, wake } = on
  const onError = (error: Error) => logger.error({ err: error }, 'the queue reports a fault')
  const boss: PgBoss = createBoss(bossPool, { supervise: true, onError })
  await boss.start()
  await boss.schedule(maintenanceQueue, '7 * * * *')
  const configured = () => createProviders(channelSettings(config), clock)
  const providers = on.providers
    ? { critical: on.providers, bulk: on.providers }
    : { critical: configured(), bulk: configured() }
  const queues = [...workQueues.map(({ name }) => name), maintenanceQueue]
  const workers = startWorkers({
    ...on,
    boss,
    providers,
    ring: (topic) => wake.ring(topic),
    onRing(listener) {
      const offs = queues.map((queue) => wake.on(queue, () => listener(queue)))
      return () => {
        for (const off of offs) off()
      }
    },
  })
  return {
    ...workers,
    async stop(graceMs) {
      await workers.stop(graceMs)
      await boss.stop({ graceful: false })
      await Promise.all([...new Set(Object.values(providers))].map(closeProviders))
    },
  }
}

function createApiRole(on: Shared & { statePool: pg.Pool; workers?: Workers }): {
  server: ApiServer
  accept: Coalescer
  feed: LiveFeed
} {
  const { config, pool, clock, ids, logger, metrics, wake } = on
  const feed = createLiveFeed({ pool, wake, idlePollMs: config.POLL_IDLE, logger })
  const backlog = createBacklog({ pool, logger })
  const accept = createCoalescer({
    async accept(intents) {
      const answers = await acceptBatch(intents, {
        pool,
        ids,
        clock,
        keyTtlMs: config.IDEMPOTENCY_KEY_TTL,
        chunkSize: Math.min(500, config.WORKER_CHUNK),
        planner: on.workers,
        wake: (queue) => wake.ring(queue),
      })
      for (const [source, indexes] of Map.groupBy(answers.keys(), (index) => intents[index]!.source)) {
        const counts = Map.groupBy(indexes, (index) => answers[index]!.status)
        for (const [status, { length }] of counts) metrics.intents.inc({ source, status }, length)
      }
      return answers
    },
    onCommitted: () => wake.ring(statusEventsTopic),
    flushMs: config.ACCEPT_FLUSH_MS,
    flushRows: config.ACCEPT_FLUSH_ROWS,
    maxInFlight: Math.max(1, Math.min(4, config.DATABASE_POOL_API - 2)),
    worthOwn: 100,
    isCongested: on.workers && (() => on.workers!.isCongested()),
    backlog: { ageMs: backlog.ageMs, mostMs: config.BACKLOG_MAX_AGE },
  })
  const capture = captureSettings(config)
  const server = createApiServer({
    config,
    pool,
    accept,
    clock,
    ids,
    logger,
    feed,
    statePool: on.statePool,
    metrics: metrics.registry,
    readiness: () => checkReadiness(pool),
    mailbox: capture && createCaptureMailbox({ ...capture, clock }),
    onSubscribed: () => wake.ring(subscriptionsTopic),
  })
  return { server, accept, feed }
}
