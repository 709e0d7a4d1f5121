import { randomBytes } from 'node:crypto'
import type { Channel } from '../../domain/channel.ts'
import { intentIdOf } from '../../domain/ids.ts'
import { laneOf } from '../../domain/priority.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import { enqueue, type NewJob } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import { type Decided, plannedRows } from './planned-rows.ts'

const planSql = statement('plan/plan_notifications')
const endpointsSql = statement('plan/register_webhook_endpoints')

interface Waiting extends Record<string, unknown> {
  id: string
  channel: Channel
  priority: number
}

interface Planned extends Record<string, unknown> {
  id: string
  channel: null
}

export interface PlanSettings {
  /** Whether every notification gets a line in the audit log. */
  audit: boolean
  /** Deliveries in one job at most. */
  chunkSize: number
}

/**
 * Writes what was decided: notifications, deliveries, status events, audit lines, and the jobs that will send them.
 * Call it in a transaction. Gives the queues that got work, to be woken after the commit, and on request the intents that
 * got notifications now, and not by an earlier planning.
 */
export async function planNotifications(
  trx: Queryable,
  tenantId: string,
  decided: readonly Decided[],
  ids: { id(): string },
  settings: PlanSettings,
  now: Date,
  namePlanned = false,
): Promise<{ queues: string[]; planned: Set<string> }> {
  if (decided.length === 0) return { queues: [], planned: new Set() }
  const rows = plannedRows(decided, ids, settings, now)
  if (rows.webhookUrls.size > 0) {
    const endpoints = [...rows.webhookUrls].map((url) => ({
      id: ids.id(),
      url,
      secret: `whsec_${randomBytes(32).toString('base64')}`,
    }))
    await run(trx, endpointsSql, [tenantId, JSON.stringify(endpoints), now])
  }
  const written = await run<Waiting | Planned>(trx, planSql, [
    tenantId,
    JSON.stringify(rows.notifications),
    JSON.stringify(rows.deliveries),
    JSON.stringify(rows.events),
    JSON.stringify(rows.auditLines),
    now,
    namePlanned,
  ])
  const waiting = written.filter((row): row is Waiting => row.channel !== null)
  const planned = new Set(written.flatMap(({ id, channel }) => (channel === null ? [intentIdOf(id)] : [])))
  const jobs = deliveryJobs(tenantId, waiting, settings.chunkSize)
  await enqueue(trx, jobs)
  return { queues: [...new Set(jobs.map((job) => job.queue))], planned }
}

/** Cuts deliveries into jobs: one channel and priority each, ids in order. */
export function deliveryJobs(tenantId: string, deliveries: readonly Waiting[], chunkSize: number): NewJob[] {
  const groups = Map.groupBy(deliveries, ({ channel, priority }) => `${channel} ${priority}`)
  const jobs: NewJob[] = []
  for (const group of groups.values()) {
    const { channel, priority } = group[0]!
    const ids = group.map(({ id }) => id).sort()
    for (let from = 0; from < ids.length; from += chunkSize) {
      jobs.push({
        queue: deliveriesQueue(channel, laneOf(priority)),
        data: { tenant_id: tenantId, ids: ids.slice(from, from + chunkSize) },
        priority,
      })
    }
  }
  return jobs
}
