import { randomBytes } from 'node:crypto'
import type { Channel } from '../../domain/channel.ts'
import { intentIdOf } from '../../domain/ids.ts'
import { laneOf } from '../../domain/priority.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import { jobRows, type NewJob } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import { type Decided, type DeliveryRow, type PlannedRows, plannedRows } from './planned-rows.ts'

const planSql = statement('plan/plan_notifications')
const endpointsSql = statement('plan/register_webhook_endpoints')

export interface PlanSettings {
  /** Whether every notification gets a line in the audit log. */
  audit: boolean
  /** Deliveries in one job at most. */
  chunkSize: number
  /** Whether this process will send so many deliveries of a queue itself, as soon as they are planned: asked once a job. */
  claims(queue: string, tenantId: string, size: number): boolean | Promise<boolean>
}

/** A job of deliveries, as planned; with `claimed` they are in state 'sending', and this process has to send them. */
export interface DeliveryJob extends NewJob {
  id: string
  channel: Channel
  deliveries: DeliveryRow[]
}

export interface Planned {
  jobs: DeliveryJob[]
  /** Whether a notification was planned now, and not by an earlier planning, nor cancelled before. */
  isNew(notificationId: string): boolean
  /** Whether an intent got a notification now. */
  hasNew(intentId: string): boolean
}

/** The rows of one planning, with their jobs: see writePlan. */
export interface Plan extends PlannedRows {
  jobs: DeliveryJob[]
  /** Whether what is claimed has no jobs of its own: the intents' jobs are kept until it is settled. */
  inIntentsJobs: boolean
}

/**
 * Turns what was decided into rows and jobs. Claims for this process what it will send itself. `continuing` are the intents
 * that go on in another page.
 */
export async function makePlan(
  tenantId: string,
  decided: readonly Decided[],
  ids: IdSource,
  settings: PlanSettings & Pick<Plan, 'inIntentsJobs'>,
  now: Date,
  continuing?: ReadonlySet<string>,
): Promise<Plan> {
  const rows = plannedRows(decided, settings, now, continuing)
  const jobs = deliveryJobs(tenantId, rows.deliveries, ids, settings)
  for (const job of jobs) {
    job.claimed = await settings.claims(job.queue, tenantId, job.deliveries.length)
    if (job.claimed) for (const delivery of job.deliveries) delivery.state = 'sending'
  }
  return { ...rows, jobs, inIntentsJobs: settings.inIntentsJobs }
}

/**
 * Writes a plan in one statement: notifications, deliveries, status events, audit lines, and the jobs that will send
 * them. Where it has new webhook addresses call it in a transaction.
 */
export async function writePlan(
  on: Queryable,
  tenantId: string,
  plan: Plan,
  ids: IdSource,
  now: Date,
): Promise<Planned> {
  const { notifications, deliveries, events, jobs, inIntentsJobs } = plan
  if (notifications.length === 0) return { jobs: [], isNew: () => false, hasNew: () => false }
  if (plan.webhookUrls.size > 0) await registerEndpoints(on, tenantId, plan.webhookUrls, ids, now)
  const enqueued = inIntentsJobs ? jobs.filter(({ claimed }) => !claimed) : jobs
  const auditLines = plan.auditLines.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const decisionLines = plan.decisionLines.toSorted((a, b) => (a.id < b.id ? -1 : 1))
  const snoozed = deliveries.filter(({ state }) => state === 'snoozed')
  const subjects = events.map(({ subject_id }) => subject_id).sort()
  const [answer] = await run<{ planned: number; only_ids: string[] | null }>(on, planSql, [
    tenantId,
    now,
    plainArray(notifications, ({ id }) => id),
    plainArray(notifications, ({ addressee }) => addressee.recipient.type),
    textArray(notifications, ({ addressee }) => addressee.recipient.id),
    textArray(notifications, ({ addressee }) => addressee.recipient.name),
    textArray(notifications, ({ addressee }) => addressee.recipient.locale),
    textArray(notifications, ({ addressee }) => addressee.recipient.timezone),
    textArray(notifications, ({ addressee }) => addressee.intent.type),
    textArray(notifications, ({ addressee }) => addressee.want.category),
    plainArray(notifications, ({ addressee }) => addressee.want.priority),
    textArray(notifications, ({ channels }) => channels.join(',')),
    plainArray(notifications, ({ hasFallback }) => hasFallback),
    textArray(notifications, ({ addressee }) => templateOf(addressee)),
    textArray(notifications, ({ addressee }) => addressee.intent.eventId),
    textArray(notifications, ({ addressee }) => addressee.intent.correlationId),
    textArray(notifications, ({ addressee }) => addressee.intent.traceparent),
    plainArray(notifications, ({ addressee: { intent } }) => isoTime(intent.scheduledAt ?? intent.acceptedAt)),
    plainArray(notifications, ({ addressee }) => isoTime(addressee.intent.expiresAt)),
    plainArray(notifications, ({ addressee }) => isoTime(addressee.intent.acceptedAt)),
    plainArray(notifications, ({ addressee }) => addressee.decision.outcome),
    plainArray(notifications, ({ addressee: { decision } }) => (decision.fold ? 'digest' : decision.reason)),
    plainArray(deliveries, ({ id }) => id),
    plainArray(deliveries, ({ channel }) => channel),
    plainArray(deliveries, ({ state }) => state),
    plainArray(deliveries, ({ fallbackRank }) => fallbackRank),
    plainArray(deliveries, ({ priority }) => priority),
    textArray(deliveries, ({ address }) => address),
    plainArray(deliveries, ({ reason }) => reason),
    ids.batchId(),
    JSON.stringify(events),
    plainArray(auditLines, ({ id }) => id),
    JSON.stringify(auditLines.map(({ line }) => line)),
    enqueued.length === 0 ? null : JSON.stringify(jobRows(enqueued)),
    subjects[0],
    subjects.at(-1),
    events.length,
    inIntentsJobs,
    plainArray(notifications, ({ addressee }) => addressee.want.rule?.id),
    plainArray(notifications, ({ addressee }) => addressee.want.rule?.version),
    textArray(notifications, ({ addressee: { vars } }) => vars && JSON.stringify(vars)),
    plainArray(decisionLines, ({ id }) => id),
    decisionLines.length === 0 ? null : JSON.stringify(decisionLines),
    plainArray(snoozed, ({ id }) => id),
    plainArray(snoozed, ({ until }) => until?.toISOString()),
    textArray(snoozed, ({ recipientId }) => recipientId),
    ...intentBounds(notifications),
  ])
  const only = answer?.only_ids
  if (answer?.planned === notifications.length) return { jobs, isNew: () => true, hasNew: () => true }
  const isNew = new Set(only)
  const intents = new Set((only ?? []).map(intentIdOf))
  return { jobs, isNew: (id) => isNew.has(id), hasNew: (id) => intents.has(id) }
}

/** The least and the greatest intent. */
function intentBounds(notifications: Plan['notifications']): [string, string] {
  let least = notifications[0]!.addressee.intent.id
  let greatest = least
  for (const { addressee } of notifications) {
    const { id } = addressee.intent
    if (id < least) least = id
    if (id > greatest) greatest = id
  }
  return [least, greatest]
}

/** The name that was asked for, also where there is no such template. */
const templateOf = ({ want, intent }: Decided) =>
  want.template?.name ?? (want.rule ? undefined : intent.payload.template)

/** Cuts deliveries that wait into jobs: one channel and priority each, ids in order. */
function deliveryJobs(
  tenantId: string,
  deliveries: readonly DeliveryRow[],
  ids: IdSource,
  settings: PlanSettings,
): DeliveryJob[] {
  const waiting = deliveries.filter(({ state }) => state === 'queued')
  const groups = Map.groupBy(waiting, ({ channel, priority }) => `${channel} ${priority}`)
  const jobs: DeliveryJob[] = []
  for (const group of groups.values()) {
    const { channel, priority } = group[0]!
    const queue = deliveriesQueue(channel, laneOf(priority))
    for (let from = 0; from < group.length; from += settings.chunkSize) {
      const part = group.slice(from, from + settings.chunkSize)
      const data = { tenant_id: tenantId, ids: part.map(({ id }) => id), priority, attempts: 0 }
      jobs.push({ id: ids.id(), queue, channel, data, priority, deliveries: part })
    }
  }
  return jobs
}

async function registerEndpoints(
  on: Queryable,
  tenantId: string,
  urls: ReadonlySet<string>,
  ids: IdSource,
  now: Date,
): Promise<void> {
  const endpoints = [...urls].map((url) => ({
    id: ids.id(),
    url,
    secret: `whsec_${randomBytes(32).toString('base64')}`,
  }))
  await run(on, endpointsSql, [tenantId, JSON.stringify(endpoints), now])
}

let lastTime: Date | undefined
let lastText = ''

/** Intents that were accepted together share their moment. */
function isoTime(time: Date | undefined): string | undefined {
  if (time === undefined) return undefined
  if (time !== lastTime) {
    lastTime = time
    lastText = time.toISOString()
  }
  return lastText
}
