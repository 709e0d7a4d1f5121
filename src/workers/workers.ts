import type pg from 'pg'
import type { PgBoss } from 'pg-boss'
import type { Config } from '../config/config.ts'
import { publicUrlOf } from '../config/public-url.ts'
import { type Channel, channels } from '../domain/channel.ts'
import type { Lane } from '../domain/priority.ts'
import type { RetryPolicy } from '../domain/retry-policy.ts'
import { expireClosedDigests } from '../maintenance/closed-digests.ts'
import { expireLimitCounts } from '../maintenance/limit-counts.ts'
import { expireClosedAlerts } from '../maintenance/open-alerts.ts'
import { expireParkedMessages } from '../maintenance/parked-messages.ts'
import { maintainPartitions } from '../maintenance/partitions.ts'
import type { Intent } from '../pipeline/enrich/load-intents.ts'
import { createRuleHealth } from '../pipeline/match/rule-health.ts'
import { createUnsubscribeLinks } from '../pipeline/render/unsubscribe-links.ts'
import { createEndpointSlots } from '../pipeline/send/endpoint-slots.ts'
import { releaseAbandoned } from '../pipeline/send/release-abandoned.ts'
import type { Sender } from '../pipeline/send/send-all.ts'
import { createSlots } from '../pipeline/send/slots.ts'
import { createEndpointHealth } from '../pipeline/settle/endpoint-health.ts'
import type { Settled } from '../pipeline/settle/settle-attempts.ts'
import type { Clock } from '../platform/clock.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { Logger } from '../platform/logger.ts'
import type { Metrics } from '../platform/metrics.ts'
import { statusEventsTopic } from '../platform/wake.ts'
import { createAsked } from '../queue/asked.ts'
import { type ChunkJob, type QueueWork, startDispatcher } from '../queue/dispatcher.ts'
import type { Unit } from '../queue/line.ts'
import { deliveriesQueue, intentsQueue, laneOfQueue, maintenanceQueue } from '../queue/queues.ts'
import { createTemplateCatalogue } from '../store/template-catalogue.ts'
import { createSettingsCatalogue } from '../store/tenant-settings.ts'
import { type WorkChunk, workIsolating } from './chunks.ts'
import { createSettling, type DeliverDeps, type DeliveriesChunk, deliver } from './deliver.ts'
import { startDueDuties } from './due-duties.ts'
import { observeSettled } from './observe-settled.ts'
import { failIntent, type IntentsChunk, type ProcessIntentsDeps, processIntents } from './process-intents.ts'
import { fetchedUnits, intentsUnit, intentsUnits, keptUnit, plannedUnit } from './units.ts'

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
  /** How people reach the API, as far as is known by now; by default what the configuration says. */
  publicUrl?(): string | undefined
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

/** Of the send slots, the share that one webhook endpoint may hold: one that hangs leaves the rest to the others. */
const endpointShare = 0.25

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
  const settings = createSettingsCatalogue(on.bossPool, clock)
  const size = config.WORKER_CHUNK
  const publicUrl = on.publicUrl ?? (() => publicUrlOf(config))
  const unsubscribe = createUnsubscribeLinks({ pool, publicUrl, settings })
  const health = createEndpointHealth({ pool, clock, mostFailingMs: config.WEBHOOK_DISABLE_AFTER, logger })
  const ruleHealth = createRuleHealth({
    ...{ pool: on.bossPool, clock, ids, metrics, logger },
    errorStreak: config.RULE_ERROR_STREAK,
  })
  const gates = { enabledChannels: config.CHANNEL_ENABLE_LIST, defaultChannels: config.CHANNEL_DEFAULT }

  // A lane has send slots of its own: CRITICAL does not wait for a slot that bulk holds.
  const deliveries = (lane: Lane): DeliverDeps => {
    const slots = new Map(channels.map((channel) => [channel, createSlots(config.SEND_CONCURRENCY)]))
    return {
      pool,
      clock,
      catalogue,
      unsubscribe,
      send: {
        providers: on.providers[lane],
        slots: (channel) => slots.get(channel)!,
        endpointSlots: createEndpointSlots(Math.max(1, Math.floor(config.SEND_CONCURRENCY * endpointShare)), () =>
          clock.now().getTime(),
        ),
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
        onSettled(tenantId, settled) {
          observeSettled(metrics, logger, settled, clock.now())
          for (const { finished } of settled) health.observe(tenantId, finished)
          if (settled.some(leavesFallback)) due.wake()
          on.ring(statusEventsTopic)
        },
      }),
    }
  }
  const delivering = { critical: deliveries('critical'), bulk: deliveries('bulk') }

  const planning: Omit<ProcessIntentsDeps, 'handOver'> = {
    pool,
    clock,
    ids,
    catalogue,
    settings,
    ruleHealth,
    gates,
    plan: {
      audit: config.AUDIT_ENABLED,
      chunkSize: size,
      claims: (queue, tenantId, count) => dispatcher.reserveSoon(queue, tenantId, count),
    },
    recipientsPerChunk,
    wake: on.ring,
    giveBack: ({ queue, data }) => dispatcher.release(queue, data.tenant_id, data.ids.length),
  }
  const plan = async (chunk: WorkChunk & IntentsChunk, ...[isOurs, keepFor]: Parameters<Unit['work']>) => {
    const handOver: ProcessIntentsDeps['handOver'] = (job, claims, content, inIntentsJobs) => {
      const deps = delivering[laneOfQueue(job.queue)]
      const send = (part: DeliveriesChunk, isStillOurs: () => boolean) => deliver(part, deps, isStillOurs)
      if (!inIntentsJobs) {
        const chunkJob = { ...job, name: job.queue, retryCount: 0 }
        return dispatcher.hand(job.queue, plannedUnit({ claims, content }, job.data, [chunkJob], send))
      }
      const { unit, ended } = keptUnit({ claims, content }, job.data, isOurs, send)
      keepFor(ended)
      dispatcher.hand(job.queue, unit)
    }
    try {
      await workIsolating(
        chunk,
        (part) => processIntents(part, { ...planning, handOver }),
        async (part, cause) => {
          logger.error({ err: cause, intents: part.ids }, 'an intent cannot be processed and is given up')
          await failIntent(part, cause, planning)
        },
      )
    } finally {
      // Only now: once all is planned, no slow worker of an earlier try can still plan some of it as its own.
      if (chunk.tries > 0 && !chunk.after) for (const queue of await releaseAbandoned(pool, chunk, size)) on.ring(queue)
    }
  }

  const atOnce = config.WORKER_CONCURRENCY * size
  const work: QueueWork[] = lanes.flatMap((lane) => [
    {
      queue: intentsQueue(lane),
      concurrency: config.WORKER_CONCURRENCY,
      batchSize: fetchBatch,
      maxSize: atOnce,
      worthOwn,
      room: chunksAhead * size,
      units: (jobs) => intentsUnits(jobs, size, plan),
      asked: createAsked({ pool: on.bossPool, clock, lane, chunkSize: Math.min(500, size) }),
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
  const due = startDueDuties({
    ...{ ...on, pool: on.bossPool, catalogue, settings, gates, chunkSize: size, wake: on.ring },
    keyTtlMs: config.IDEMPOTENCY_KEY_TTL,
  })

  return {
    reserve: (lane, tenantId, count) => dispatcher.reserve(intentsQueue(lane), tenantId, count),
    release: (lane, tenantId, count) => dispatcher.release(intentsQueue(lane), tenantId, count),
    isCongested: () => dispatcher.isCongested(intentsQueue('bulk')),
    plan(lane, { jobId, tenantId, priority, intents }) {
      const queue = intentsQueue(lane)
      const chunk = { tenant_id: tenantId, priority, ids: intents.map(({ id }) => id), intents }
      const job = { id: jobId, name: queue, data: { tenant_id: tenantId, ids: chunk.ids, priority }, retryCount: 0 }
      dispatcher.hand(queue, intentsUnit(chunk, [job], size, plan))
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
      await Promise.all([dispatcher.stop(), due.stop()])
      clearTimeout(patience)
      await Promise.all([health.close(), ruleHealth.close()])
    },
  }
}

/** Of a fallback whose turn has come the gates are asked at once. */
const leavesFallback = ({ step: { state }, finished }: Settled): boolean =>
  (state === 'failed' || state === 'expired') && finished.item.about?.has_fallback === true

async function maintain(on: WorkersDeps): Promise<void> {
  const report = await maintainPartitions(on.pool, maintenanceSettings(on.config), on.clock.now())
  const expired = await expireParkedMessages(on.pool, on.config.RETENTION_PARKED_DAYS, on.clock.now())
  const idleCounts = await expireLimitCounts(on.pool, on.clock.now())
  const digests = await expireClosedDigests(on.pool, on.config.RETENTION_DAYS, on.clock.now())
  const alerts = await expireClosedAlerts(on.pool, on.clock.now())
  const { dropped, kept } = report
  on.logger.info(
    { made: report.made.length, dropped, kept, expired, idleCounts, digests, alerts },
    'partitions maintained',
  )
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
