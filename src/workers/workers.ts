import type pg from 'pg'
import type { PgBoss } from 'pg-boss'
import type { Config } from '../config/config.ts'
import { type Channel, channels } from '../domain/channel.ts'
import type { Lane } from '../domain/priority.ts'
import type { RetryPolicy } from '../domain/retry-policy.ts'
import { maintainPartitions } from '../maintenance/partitions.ts'
import type { Intent } from '../pipeline/enrich/load-intents.ts'
import { createSlots, type Sender } from '../pipeline/send/send-all.ts'
import type { Settled } from '../pipeline/settle/settle-attempts.ts'
import type { Clock } from '../platform/clock.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { Logger } from '../platform/logger.ts'
import type { Metrics } from '../platform/metrics.ts'
import { statusEventsTopic } from '../platform/wake.ts'
import { type ChunkJob, type QueueWork, startDispatcher } from '../queue/dispatcher.ts'
import { deliveriesQueue, intentsQueue, laneOfQueue, maintenanceQueue } from '../queue/queues.ts'
import { createTemplateCatalogue } from '../store/template-catalogue.ts'
import { type WorkChunk, workIsolating } from './chunks.ts'
import { createSettling, type DeliverDeps, deliver } from './deliver.ts'
import { failIntent, type IntentsChunk, type ProcessIntentsDeps, processIntents } from './process-intents.ts'
import { acceptedUnit, fetchedUnits, plannedUnit } from './units.ts'

export interface WorkersDeps {
  config: Config
  /** Of the flow: see openPool. */
  pool: pg.Pool
  boss: PgBoss
  bossPool: pg.Pool
  clock: Clock
  ids: IdSource
  logger: Logger
  metrics: Metrics
  /** Of each lane its own, so that CRITICAL waits for no connection that bulk holds. */
  providers: Record<Lane, ReadonlyMap<Channel, Sender>>
  /** Announces, here and in other processes, that a queue has got work or that there are new status events. */
  ring(topic: string): void
  /** Hears such announcements; gives back how to stop hearing. */
  onRing(listener: (queue: string) => void): () => void
}

export interface Workers {
  /** Whether this process will plan so many intents itself, as soon as they are accepted; the room is then theirs. */
  reserve(lane: Lane, tenantId: string, count: number): boolean
  release(lane: Lane, tenantId: string, count: number): void
  /** Whether planning has nearly all that it can take, so that accepting more would send it the way by the queue. */
  isCongested(): boolean
  /** Plans intents that were accepted in a claimed job, and have a reservation. */
  plan(lane: Lane, accepted: { jobId: string; tenantId: string; priority: number; intents: Intent[] }): void
  /** Takes no more work from now on. */
  quiesce(): void
  /** Takes no more work, finishes or hands back what is under way within `graceMs`, and resolves. */
  stop(graceMs: number): Promise<void>
}

const lanes: Lane[] = ['critical', 'bulk']
const fetchBatch = 20
/** A second planning or settling beside another is begun for so many rows; fewer wait and go together. */
const worthOwn = 100
const flush = { rows: 500, ms: 12, maxInFlight: 2, worthOwn }
const recipientsPerChunk = 1_000
/** Intents in the memory of this process that wait for planning, in chunks: what accepting may be ahead of planning. */
const chunksAhead = 20
/** Of the patience with a stop, the share in which sends may end by themselves; the rest is for settling what was cut off. */
const sendingShare = 0.8

/** Starts every worker of this process: intents, deliveries of each channel, and the daily duties. */
export function startWorkers(on: WorkersDeps): Workers {
  const stopping = new AbortController()
  const cutOff = new AbortController()
  const { config, pool, clock, ids, logger, metrics } = on
  const catalogue = createTemplateCatalogue(pool, clock)
  const size = config.WORKER_CHUNK

  // A lane has send slots of its own: CRITICAL does not wait for a slot that bulk holds.
  const deliveries = (lane: Lane): DeliverDeps => {
    const slots = new Map(channels.map((channel) => [channel, createSlots(config.SEND_CONCURRENCY)]))
    return {
      pool,
      clock,
      catalogue,
      send: {
        providers: on.providers[lane],
        slots: (channel) => slots.get(channel)!,
        now: () => clock.now(),
        stopping: stopping.signal,
        cutOff: cutOff.signal,
      },
      settling: createSettling({
        pool,
        clock,
        ids,
        settle: { policyOf: (channel) => retryPolicy(config, channel), random: Math.random },
        flush,
        onSettled(settled) {
          observe(metrics, logger, settled, clock.now())
          on.ring(statusEventsTopic)
        },
      }),
    }
  }
  const delivering = { critical: deliveries('critical'), bulk: deliveries('bulk') }

  const planning: ProcessIntentsDeps = {
    pool,
    clock,
    ids,
    catalogue,
    gates: {
      enabledChannels: config.CHANNEL_ENABLE_LIST,
      defaultChannels: config.CHANNEL_DEFAULT,
    },
    plan: {
      audit: config.AUDIT_ENABLED,
      chunkSize: size,
      claims: (queue, tenantId, count) => dispatcher.reserveSoon(queue, tenantId, count),
    },
    recipientsPerChunk,
    wake: on.ring,
    handOver(job, claims, content) {
      const chunkJob = { ...job, name: job.queue, retryCount: 0 }
      const deps = delivering[laneOfQueue(job.queue)]
      dispatcher.hand(
        job.queue,
        plannedUnit({ claims, content }, chunkJob, (chunk, isOurs) => deliver(chunk, deps, isOurs)),
      )
    },
    giveBack: ({ queue, data }) => dispatcher.release(queue, data.tenant_id, data.ids.length),
  }
  const plan = (chunk: WorkChunk & IntentsChunk) =>
    workIsolating(
      chunk,
      (part) => processIntents(part, planning),
      async (part, cause) => {
        logger.error({ err: cause, intents: part.ids }, 'an intent cannot be processed and is given up')
        await failIntent(part, cause, planning)
      },
    )

  const atOnce = config.WORKER_CONCURRENCY * size
  const work: QueueWork[] = lanes.flatMap((lane) => [
    {
      queue: intentsQueue(lane),
      concurrency: config.WORKER_CONCURRENCY,
      batchSize: fetchBatch,
      maxSize: atOnce,
      worthOwn,
      room: chunksAhead * size,
      units: (jobs) => fetchedUnits(jobs, size, plan),
    },
    ...channels.map((channel) => ({
      queue: deliveriesQueue(channel, lane),
      concurrency: Number.POSITIVE_INFINITY,
      batchSize: fetchBatch,
      maxSize: 2 * atOnce,
      worthOwn: 0,
      room: 3 * atOnce,
      units: (jobs: ChunkJob[]) =>
        fetchedUnits(jobs, size, (chunk, isOurs) => deliver(chunk, delivering[lane], isOurs)),
    })),
  ])
  work.push({
    queue: maintenanceQueue,
    concurrency: 1,
    batchSize: 1,
    maxSize: 1,
    worthOwn: 0,
    room: 1,
    units: (jobs) => [{ tenant: '', priority: 0, jobs, size: 1, work: () => maintain(on) }],
  })

  const dispatcher = startDispatcher({
    boss: on.boss,
    pool: on.bossPool,
    logger,
    work,
    idlePollMs: config.POLL_IDLE,
    onJobs: (queue, outcome, count) => metrics.jobs.inc({ queue, outcome }, count),
  })
  const silence = on.onRing((queue) => dispatcher.wake(queue))

  return {
    reserve: (lane, tenantId, count) => dispatcher.reserve(intentsQueue(lane), tenantId, count),
    release: (lane, tenantId, count) => dispatcher.release(intentsQueue(lane), tenantId, count),
    isCongested: () => dispatcher.isCongested(intentsQueue('bulk')),
    plan(lane, { jobId, tenantId, priority, intents }) {
      const queue = intentsQueue(lane)
      const chunk = { tenant_id: tenantId, priority, ids: intents.map(({ id }) => id), intents }
      const job = { id: jobId, name: queue, data: { tenant_id: tenantId, ids: chunk.ids, priority }, retryCount: 0 }
      dispatcher.hand(queue, acceptedUnit(chunk, [job], size, plan))
    },
    quiesce() {
      silence()
      dispatcher.quiesce()
      stopping.abort()
    },
    async stop(graceMs) {
      silence()
      stopping.abort()
      const patience = setTimeout(() => cutOff.abort(), graceMs * sendingShare)
      await dispatcher.stop()
      clearTimeout(patience)
    },
  }
}

async function maintain(on: WorkersDeps): Promise<void> {
  const report = await maintainPartitions(on.pool, maintenanceSettings(on.config), on.clock.now())
  on.logger.info({ made: report.made.length, dropped: report.dropped, kept: report.kept }, 'partitions maintained')
}

/** How `carillon maintain` and the daily schedule keep the partitions. */
export function maintenanceSettings(config: Config): Parameters<typeof maintainPartitions>[1] {
  return {
    daysAhead: config.PARTITIONS_AHEAD_DAYS,
    retention: {
      flowDays: config.RETENTION_DAYS,
      auditDays: config.RETENTION_AUDIT_DAYS,
      inboxDays: config.RETENTION_INBOX_DAYS,
      keyDays: Math.ceil(config.IDEMPOTENCY_KEY_TTL / 86_400_000) + 1,
    },
  }
}

function retryPolicy(config: Config, channel: Channel): RetryPolicy {
  const own = { email: config.RETRY_DELAYS_EMAIL, webhook: config.RETRY_DELAYS_WEBHOOK } as Partial<
    Record<Channel, number[] | undefined>
  >
  return { delaysMs: own[channel] ?? config.RETRY_DELAYS, jitter: config.RETRY_JITTER }
}

function observe(metrics: Metrics, logger: Logger, settled: readonly Settled[], now: Date): void {
  for (const { finished, step } of settled) {
    const { channel, deliveryId, attempt } = finished.item.claim
    const { outcome, provider } = finished
    metrics.deliveries.inc({ channel, outcome: step.state, reason: step.reason ?? '' })
    if (outcome) {
      const reason = outcome.kind === 'accepted' ? '' : outcome.reason
      metrics.attempts.inc({ channel, provider, outcome: outcome.kind, reason })
      metrics.attemptSeconds.observe(
        { channel, provider },
        (finished.completedAt.getTime() - finished.startedAt.getTime()) / 1000,
      )
    }
    const { about } = finished.item
    if (step.state === 'sent' && about && attempt === 1) {
      metrics.deliverySeconds.observe({ channel }, (now.getTime() - new Date(about.created_at).getTime()) / 1000)
    }
    if (step.state === 'failed' || step.state === 'retrying') {
      const traceId = about?.traceparent?.split('-')[1]
      const correlationId = about?.correlation_id ?? undefined
      const { reason } = step
      logger.warn({ deliveryId, channel, provider, attempt, reason, correlationId, traceId }, `delivery ${step.state}`)
    }
  }
}
