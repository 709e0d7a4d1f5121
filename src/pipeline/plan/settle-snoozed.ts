import type { Channel } from '../../domain/channel.ts'
import type { Decision } from '../../domain/decision.ts'
import type { EventData } from '../../domain/event-types.ts'
import { laneOf } from '../../domain/priority.ts'
import type { Want } from '../../domain/want.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import { enqueue, type NewJob } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import { decisionLine } from './decision-line.ts'

const settleSql = statement('plan/settle_snoozed')

/** A delivery that waited, and what was decided of it now. */
export interface DecidedAgain {
  id: string
  notificationId: string
  channel: Channel
  address: string
  /** From 1: a fallback whose turn has come. */
  fallbackRank: number
  recipient: { id: string }
  wanted: {
    intent: { idempotencyKey?: string; correlationId?: string; traceparent?: string }
  }
  want: Want
  decision: Decision
  settingsVersion?: string
}

interface Row {
  of: DecidedAgain
  state: 'queued' | 'snoozed' | 'suppressed' | 'expired'
  reason?: string
  address: string
  until?: Date
}

/**
 * Writes what became of deliveries that waited: on their way, waiting on, or stopped; with events, decisions and jobs. `taken`
 * are all snoozes of the tenant that were taken. Gives the queues that have work now, and the deliveries that were stopped.
 */
export async function settleSnoozed(
  trx: Queryable,
  tenantId: string,
  decided: readonly DecidedAgain[],
  taken: readonly string[],
  chunkSize: number,
  ids: Pick<IdSource, 'batchId'>,
  now: Date,
): Promise<{ queues: string[]; stopped: string[] }> {
  const rows = decided.map(rowOf).sort((a, b) => (a.of.id < b.of.id ? -1 : 1))
  const lines = rows.flatMap(({ of }) => decisionLine(of.notificationId, of) ?? [])
  lines.sort((a, b) => (a.id < b.id ? -1 : 1))
  const changed = await run<{ id: string }>(trx, settleSql, [
    tenantId,
    now,
    plainArray(rows, ({ of }) => of.id),
    rows[0]?.of.id,
    rows.at(-1)?.of.id,
    plainArray(rows, ({ state }) => state),
    plainArray(rows, ({ reason }) => reason),
    textArray(rows, ({ address }) => address),
    plainArray(rows, ({ until }) => until?.toISOString()),
    ids.batchId(),
    JSON.stringify(rows.map(eventOf)),
    plainArray(lines, ({ id }) => id),
    JSON.stringify(lines),
    plainArray(taken, (id) => id),
  ])
  const written = new Set(changed.map(({ id }) => id))
  const settled = rows.filter(({ of }) => written.has(of.id))
  const jobs = jobsOf(
    tenantId,
    settled.filter(({ state }) => state === 'queued').map(({ of }) => of),
    chunkSize,
  )
  await enqueue(trx, jobs)
  return {
    queues: [...new Set(jobs.map(({ queue }) => queue))],
    stopped: settled.filter(({ state }) => state === 'suppressed' || state === 'expired').map(({ of }) => of.id),
  }
}

function rowOf(of: DecidedAgain): Row {
  const { outcome, reason, deliveries } = of.decision
  const [delivery] = deliveries
  if (outcome === 'expired') return { of, state: 'expired', reason, address: of.address }
  if (!delivery || outcome === 'failed') return { of, state: 'suppressed', reason, address: of.address }
  const { state, until, address } = delivery
  if (state === 'snoozed') return { of, state, reason: delivery.reason, address, until }
  if (state === 'suppressed') return { of, state, reason: delivery.reason, address: of.address }
  return { of, state: 'queued', address }
}

function eventOf({ of, state, reason, until }: Row): { subject_id: string; type: string; data: EventData } {
  const { idempotencyKey, correlationId, traceparent } = of.wanted.intent
  return {
    subject_id: of.id,
    type: `notification.${of.channel}.${state === 'queued' ? 'requested' : state}`,
    data: {
      recipient_id: of.recipient.id,
      type: of.want.type,
      category: of.want.category,
      channel: of.channel,
      reason,
      fallback: (state === 'queued' && of.fallbackRank > 0) || undefined,
      next_attempt_at: until,
      idempotency_key: idempotencyKey,
      correlation_id: correlationId,
      traceparent,
    },
  }
}

function jobsOf(tenantId: string, deliveries: readonly DecidedAgain[], chunkSize: number): NewJob[] {
  const groups = Map.groupBy(deliveries, ({ channel, want }) => `${channel} ${want.priority}`)
  return [...groups.values()].flatMap((group) => {
    const { channel, want } = group[0]!
    const queue = deliveriesQueue(channel, laneOf(want.priority))
    const jobs: NewJob[] = []
    for (let from = 0; from < group.length; from += chunkSize) {
      const part = group.slice(from, from + chunkSize).map(({ id }) => id)
      jobs.push({ queue, data: { tenant_id: tenantId, ids: part, priority: want.priority }, priority: want.priority })
    }
    return jobs
  })
}
