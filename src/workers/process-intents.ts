import type pg from 'pg'
import type { GateSettings } from '../domain/decide.ts'
import { notificationIdOf } from '../domain/ids.ts'
import { laneOf } from '../domain/priority.ts'
import { type Intent, loadIntents } from '../pipeline/enrich/load-intents.ts'
import { type Continuation, resolveRecipients } from '../pipeline/enrich/resolve-recipients.ts'
import { markIntents, matchIntents } from '../pipeline/match/match-intents.ts'
import { permit } from '../pipeline/permit/permit.ts'
import { makePlan, type Plan, type Planned, type PlanSettings, writePlan } from '../pipeline/plan/plan-notifications.ts'
import { type Content, contentOfPlan } from '../pipeline/render/load-content.ts'
import type { Claim } from '../pipeline/send/claim-deliveries.ts'
import type { Clock } from '../platform/clock.ts'
import { inTransaction, type Queryable } from '../platform/db.ts'
import type { IdSource } from '../platform/id-source.ts'
import { enqueue, type NewJob } from '../queue/enqueue.ts'
import { type Chunk, intentsQueue } from '../queue/queues.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'

export interface ProcessIntentsDeps {
  pool: pg.Pool
  clock: Clock
  ids: IdSource
  catalogue: TemplateCatalogue
  gates: GateSettings
  plan: PlanSettings
  /** Recipients that one planning transaction takes on; the rest of the chunk goes on in jobs of its own. */
  recipientsPerChunk: number
  /** Wakes the workers of a queue, after the commit. */
  wake(queue: string): void
  /** Sends what planning has claimed for this process, after the commit: in a job of its own, or in the intents'. */
  handOver(job: ClaimedJob, claims: Claim[], content: Content | undefined, inIntentsJobs: boolean): void
  /** Undoes a claim whose planning failed. */
  giveBack(job: ClaimedJob): void
}

export type ClaimedJob = Required<Pick<NewJob, 'id' | 'queue' | 'data'>>

/** Intents to process: with what they say where this process has just accepted them, else by their ids alone. */
export interface IntentsChunk extends Chunk {
  intents?: Intent[]
  /** How often its jobs were claimed before; absent: never. */
  tries?: number
}

/** Intents become notifications and deliveries: enrich → match → permit → plan. */
export async function processIntents(chunk: IntentsChunk, on: ProcessIntentsDeps): Promise<void> {
  const now = on.clock.now()
  const intents = chunk.intents ?? (await loadIntents(on.pool, chunk))
  if (intents.length === 0) return
  const { matched, unmatched } = matchIntents(intents)
  const { addressees, continuations } = await resolveRecipients(on.pool, matched, chunk, on.recipientsPerChunk)
  await on.catalogue.load(
    chunk.tenant_id,
    matched.flatMap(({ payload }) => payload.template ?? []),
  )
  const decided = permit(addressees, on.catalogue, on.gates, now)
  // Pages of a role are planned by several jobs, and a job that comes again has to release what its last worker claimed: no
  // mark would tell whose claim it is.
  const inIntentsJobs = !chunk.after && !chunk.tries && continuations.length === 0
  const continuing = new Set(continuations.map(({ intentId }) => intentId))
  const settings = { ...on.plan, inIntentsJobs }
  const plan = await makePlan(chunk.tenant_id, decided, on.ids, settings, now, continuing)

  try {
    await write(chunk, intents, unmatched, continuations, plan, on, now)
  } catch (error) {
    for (const job of plan.jobs) if (job.claimed) on.giveBack(job)
    throw error
  }
}

/** In one statement where that is all, else in a transaction. Then the deliveries go on, here or by the queue. */
async function write(
  chunk: Chunk,
  intents: readonly Intent[],
  unmatched: readonly Intent[],
  continuations: readonly Continuation[],
  plan: Plan,
  on: ProcessIntentsDeps,
  now: Date,
): Promise<void> {
  const isPlain = unmatched.length === 0 && continuations.length === 0 && plan.webhookUrls.size === 0
  const { planned, goingOn } = isPlain
    ? { planned: await writePlan(on.pool, chunk.tenant_id, plan, on.ids, now), goingOn: [] }
    : await inTransaction(on.pool, async (trx) => {
        await markUnmatched(trx, chunk.tenant_id, unmatched, on.ids, now)
        const planned = await writePlan(trx, chunk.tenant_id, plan, on.ids, now)
        const goingOn = continuationJobs(chunk.tenant_id, intents, continuations, planned)
        await enqueue(trx, goingOn)
        return { planned, goingOn }
      })
  handOver(chunk.tenant_id, plan, planned, on)
  const waiting = [...planned.jobs.filter(({ claimed }) => !claimed), ...goingOn]
  for (const queue of new Set(waiting.map(({ queue }) => queue))) on.wake(queue)
}

function markUnmatched(
  trx: Queryable,
  tenantId: string,
  unmatched: readonly Intent[],
  ids: IdSource,
  now: Date,
): Promise<void> {
  const ended = unmatched.map(({ id, type, correlationId, traceparent }) => ({
    id,
    data: { type, correlation_id: correlationId, traceparent },
  }))
  return markIntents(trx, tenantId, 'unmatched', ended, ids, now)
}

function continuationJobs(
  tenantId: string,
  intents: readonly Intent[],
  continuations: readonly Continuation[],
  planned: Planned,
): NewJob[] {
  const priorities = new Map(intents.map(({ id, priority }) => [id, priority]))
  return continuations
    .filter(({ intentId, pageBegun }) => !pageBegun || planned.hasNew(intentId)) // planned before, its page went on then
    .map(({ intentId, after }) => {
      const priority = priorities.get(intentId) ?? 0
      const data = { tenant_id: tenantId, ids: [intentId], priority, after }
      return { queue: intentsQueue(laneOf(priority)), data, priority }
    })
}

function handOver(tenantId: string, plan: Plan, planned: Planned, on: ProcessIntentsDeps): void {
  const claimed = planned.jobs.filter(({ claimed }) => claimed)
  if (claimed.length === 0) return
  const content = contentOfPlan(plan.notifications)
  for (const job of claimed) {
    const claims = job.deliveries
      .filter(({ id }) => planned.isNew(notificationIdOf(id)))
      .map(({ id, channel, address, priority }) => ({
        tenantId,
        deliveryId: id,
        channel,
        attempt: 1,
        address,
        priority,
        possibleDuplicate: false,
      }))
    // The secrets of webhooks are in the database.
    on.handOver(job, claims, job.channel === 'webhook' ? undefined : content, plan.inIntentsJobs)
  }
}

/** Ends an intent that cannot be processed, however often it is tried: it fails by name instead of waiting for ever. */
export async function failIntent(
  chunk: Chunk,
  cause: unknown,
  on: Pick<ProcessIntentsDeps, 'pool' | 'clock' | 'ids'>,
): Promise<void> {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  const intents = chunk.ids.map((id) => ({ id, data: { reason: 'processing_failed', code } }))
  await markIntents(on.pool, chunk.tenant_id, 'failed', intents, on.ids, on.clock.now())
}
