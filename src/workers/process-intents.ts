import type pg from 'pg'
import type { GateSettings } from '../domain/decide.ts'
import { notificationId, notificationIdOf } from '../domain/ids.ts'
import { laneOf } from '../domain/priority.ts'
import { type Intent, loadIntents } from '../pipeline/enrich/load-intents.ts'
import { type Addressee, type Continuation, resolveRecipients } from '../pipeline/enrich/resolve-recipients.ts'
import { type IntentEnd, markIntents } from '../pipeline/match/match-intents.ts'
import { plannedBefore } from '../pipeline/match/planned-before.ts'
import type { RuleHealth } from '../pipeline/match/rule-health.ts'
import { type Permitted, permit } from '../pipeline/permit/permit.ts'
import { foldMembers } from '../pipeline/plan/fold-members.ts'
import { makePlan, type Plan, type Planned, type PlanSettings, writePlan } from '../pipeline/plan/plan-notifications.ts'
import { type Content, contentOfPlan } from '../pipeline/render/load-content.ts'
import type { Claim } from '../pipeline/send/claim-deliveries.ts'
import type { Clock } from '../platform/clock.ts'
import { inTransaction, isLostConnection, type Queryable } from '../platform/db.ts'
import type { IdSource } from '../platform/id-source.ts'
import { nextTurn } from '../platform/next-turn.ts'
import { enqueue, type NewJob } from '../queue/enqueue.ts'
import { type Chunk, intentsQueue } from '../queue/queues.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'
import type { SettingsCatalogue } from '../store/tenant-settings.ts'
import { foldingsOf } from './foldings.ts'
import { keepLimits } from './keep-limits.ts'
import { wantsOf } from './wants-of-intents.ts'

export interface ProcessIntentsDeps {
  pool: pg.Pool
  clock: Clock
  ids: IdSource
  catalogue: TemplateCatalogue
  settings: SettingsCatalogue
  /** Hears how the rules' expressions did. */
  ruleHealth: Pick<RuleHealth, 'observe'>
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

/** Addressees whose variables are evaluated before it is asked whether others wait for the process. */
const permitTogether = 10

/** Intents become notifications and deliveries: enrich → match → permit → plan. */
export async function processIntents(chunk: IntentsChunk, on: ProcessIntentsDeps): Promise<void> {
  const now = on.clock.now()
  const intents = chunk.intents ?? (await loadIntents(on.pool, chunk))
  if (intents.length === 0) return
  const settings = await on.settings.of(chunk.tenant_id)
  const { asked, wanted, unmatched, health, budget } = await wantsOf(intents, chunk, settings, on.pool, now)
  const { addressees, continuations } = await resolveRecipients(on.pool, wanted, chunk, on.recipientsPerChunk, now)
  await on.catalogue.load(
    chunk.tenant_id,
    wanted.flatMap(({ template }) => template ?? []),
  )
  const permitted: Permitted<Addressee>[] = []
  for (let from = 0; from < addressees.length; from += permitTogether) {
    const together = addressees.slice(from, from + permitTogether)
    permitted.push(...permit(together, on.catalogue, on.gates, settings, now))
    if (budget.isTurnOver()) await nextTurn()
  }
  if (health) on.ruleHealth.observe(chunk.tenant_id, health, settings.rules)
  const isNew = chunk.tries ? await unplanned(permitted, chunk.tenant_id, on.pool) : undefined
  const limited = await keepLimits(on.pool, chunk.tenant_id, permitted.filter(isNew ?? Boolean), settings, now)
  // Pages of a role are planned by several jobs, and a job that comes again has to release what its last worker claimed: no
  // mark would tell whose claim it is.
  const inIntentsJobs = !chunk.after && !chunk.tries && continuations.length === 0
  const continuing = new Set(continuations.map(({ intentId }) => intentId))
  const planSettings = { ...on.plan, inIntentsJobs }
  const plan = await makePlan(chunk.tenant_id, limited.decided, on.ids, planSettings, now, continuing)

  try {
    const ends = endsOf(asked, unmatched, addressees, continuing)
    await write(chunk, intents, ends, continuations, limited.decided, plan, on, now)
  } catch (error) {
    for (const job of plan.jobs) if (job.claimed) on.giveBack(job)
    if (!isLostConnection(error) || !(await isPlanned(plan, chunk.tenant_id, on.pool))) await limited.release()
    throw error
  }
}

/** What a worker that was lost has planned already is neither counted nor planned again. */
async function unplanned(permitted: readonly Permitted<Addressee>[], tenantId: string, pool: pg.Pool) {
  const idOf = ({ intent, ordinal }: Permitted<Addressee>) => notificationId(intent.id, ordinal)
  const planned = await plannedBefore(pool, tenantId, permitted.map(idOf))
  return (addressee: Permitted<Addressee>) => !planned.has(idOf(addressee))
}

/** A plan is written as a whole. */
async function isPlanned({ notifications }: Plan, tenantId: string, pool: pg.Pool): Promise<boolean> {
  const ids = notifications.map(({ id }) => id)
  return (await plannedBefore(pool, tenantId, ids)).size > 0
}

type Ends = Record<Extract<IntentEnd, 'unmatched' | 'no_recipients'>, Intent[]>

/** Business events that lead to no notification: no rule wanted them, or the rules that did name nobody. */
function endsOf(
  intents: readonly Intent[],
  unmatched: readonly Intent[],
  addressees: readonly Addressee[],
  continuing: ReadonlySet<string>,
): Ends {
  const events = intents.filter(({ kind }) => kind === 'event')
  if (events.length === 0) return { unmatched: [], no_recipients: [] }
  const without = new Set(unmatched)
  const named = new Set(addressees.map(({ intent }) => intent))
  const nobody = events.filter((intent) => !named.has(intent) && !without.has(intent) && !continuing.has(intent.id))
  return { unmatched: [...unmatched], no_recipients: nobody }
}

/** In one statement where that is all, else in a transaction. Then the deliveries go on, here or by the queue. */
async function write(
  chunk: Chunk,
  intents: readonly Intent[],
  ends: Ends,
  continuations: readonly Continuation[],
  decided: readonly Permitted<Addressee>[],
  plan: Plan,
  on: ProcessIntentsDeps,
  now: Date,
): Promise<void> {
  const ended = ends.unmatched.length + ends.no_recipients.length
  const foldings = foldingsOf(decided)
  const isPlain = ended + continuations.length + plan.webhookUrls.size + foldings.length === 0
  const { planned, goingOn } = isPlain
    ? { planned: await writePlan(on.pool, chunk.tenant_id, plan, on.ids, now), goingOn: [] }
    : await inTransaction(on.pool, async (trx) => {
        await markEnds(trx, chunk, ends, on.ids, now)
        const planned = await writePlan(trx, chunk.tenant_id, plan, on.ids, now)
        const folded = foldings.filter(({ notificationId }) => planned.isNew(notificationId))
        await foldMembers(trx, chunk.tenant_id, folded, on.ids, now)
        const goingOn = continuationJobs(chunk.tenant_id, intents, continuations, planned)
        await enqueue(trx, goingOn)
        return { planned, goingOn }
      })
  handOver(chunk.tenant_id, plan, planned, on)
  const waiting = [...planned.jobs.filter(({ claimed }) => !claimed), ...goingOn]
  for (const queue of new Set(waiting.map(({ queue }) => queue))) on.wake(queue)
}

/** An event that has notifications has no end to tell of, though its last page may be empty. */
async function markEnds(trx: Queryable, chunk: Chunk, ends: Ends, ids: IdSource, now: Date): Promise<void> {
  if (chunk.after && chunk.after.ordinal > 0) return
  for (const [end, intents] of Object.entries(ends) as [keyof Ends, Intent[]][]) {
    const reason = end === 'no_recipients' ? end : undefined
    const ended = intents.map(({ id, type, correlationId, traceparent }) => ({
      id,
      data: { type, reason, correlation_id: correlationId, traceparent },
    }))
    await markIntents(trx, chunk.tenant_id, end, ended, ids, now)
  }
}

/**
 * What was begun goes on at its place; what was not begun at all goes on together, with a place even so: a job without one is
 * taken for the first of its intents.
 */
function continuationJobs(
  tenantId: string,
  intents: readonly Intent[],
  continuations: readonly Continuation[],
  planned: Planned,
): NewJob[] {
  const priorities = new Map(intents.map(({ id, priority }) => [id, priority]))
  const goingOn = continuations.filter(({ intentId, pageBegun }) => !pageBegun || planned.hasNew(intentId)) // planned before, its page went on then
  const groups = Map.groupBy(goingOn, ({ intentId, pageBegun }) => (pageBegun ? intentId : priorities.get(intentId)))
  return [...groups.values()].map((group): NewJob => {
    const { intentId, after } = group[0]!
    const priority = priorities.get(intentId) ?? 0
    const data = { tenant_id: tenantId, ids: group.map(({ intentId }) => intentId), priority, after }
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
