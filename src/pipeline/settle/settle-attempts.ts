import type pg from 'pg'
import type { Channel } from '../../domain/channel.ts'
import { laneOf } from '../../domain/priority.ts'
import type { RetryPolicy } from '../../domain/retry-policy.ts'
import { inTransaction, type Queryable, run, statement } from '../../platform/db.ts'
import { plainArray, textArray } from '../../platform/sql-array.ts'
import { enqueue, type NewJob } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import { recordInbox } from './record-inbox.ts'
import { releaseFallbacks } from './release-fallbacks.ts'
import { type Finished, nextStep, type SettlementRow, type Step, settlementEvents, storable } from './settlement.ts'

const settleSql = statement('settle/settle_attempts')
const disableSql = statement('settle/disable_webhook_endpoints')

export interface SettleSettings {
  policyOf(channel: Channel): RetryPolicy
  /** 0 ≤ r < 1; Math.random in production. */
  random(): number
}

/** An attempt that was settled, with where it led. */
export type Settled = SettlementRow

/**
 * Settles one tenant's flush: deliveries, attempts, status events and dead letters in one statement, and where something
 * follows from them (inbox items, fallbacks, the jobs of next attempts) that in the same transaction. Results for lost
 * claims change nothing and are not among what is returned.
 */
export async function settleAttempts(
  pool: pg.Pool,
  tenantId: string,
  flush: readonly Finished[],
  ids: { batchId(): string },
  settings: SettleSettings,
  now: Date,
): Promise<Settled[]> {
  const rows = flush
    .map((finished) => ({
      finished,
      step: nextStep(finished, settings.policyOf(finished.item.claim.channel), now, settings.random()),
    }))
    .sort((a, b) => (a.finished.item.claim.deliveryId < b.finished.item.claim.deliveryId ? -1 : 1))
  if (rows.every(isPlain)) return writeSettlement(pool, tenantId, rows, ids, now)

  return inTransaction(pool, async (trx) => {
    const settled = await writeSettlement(trx, tenantId, rows, ids, now)
    const ending = (state: Step['state']) =>
      settled.filter(({ step }) => step.state === state).map(({ finished }) => finished)
    await recordInbox(trx, tenantId, ending('sent'), now)
    const ended = [...ending('failed'), ...ending('expired')]
    const fallen = ended.map(({ item: { claim, about } }) => ({ deliveryId: claim.deliveryId, about }))
    await releaseFallbacks(trx, tenantId, fallen, ids, now)
    await disableGoneEndpoints(trx, tenantId, ending('failed'), now)
    await enqueue(trx, nextJobs(tenantId, settled))
    return settled
  })
}

/** Sent, and nothing follows. */
const isPlain = ({ finished, step }: SettlementRow): boolean =>
  step.state === 'sent' && finished.item.claim.channel !== 'in_app'

async function writeSettlement(
  on: Queryable,
  tenantId: string,
  rows: readonly SettlementRow[],
  ids: { batchId(): string },
  now: Date,
): Promise<Settled[]> {
  const events = rows.flatMap(settlementEvents)
  const deliveryIds = rows.map(({ finished }) => finished.item.claim.deliveryId)
  const [answer] = await run<{ settled: number; only_ids: string[] | null }>(on, settleSql, [
    tenantId,
    now,
    plainArray(deliveryIds, (id) => id),
    deliveryIds[0],
    deliveryIds.at(-1),
    plainArray(rows, ({ finished }) => finished.item.claim.attempt),
    plainArray(rows, ({ step }) => step.state),
    plainArray(rows, ({ step }) => step.reason),
    plainArray(rows, ({ step }) => (step.state === 'retrying' ? step.nextAttemptAt.toISOString() : undefined)),
    plainArray(rows, ({ finished }) => finished.kind === 'tried'),
    plainArray(rows, ({ finished }) => finished.item.claim.channel),
    textArray(rows, ({ finished }) => finished.provider),
    plainArray(rows, ({ finished }) => finished.outcome?.kind),
    plainArray(rows, ({ finished }) => failureOf(finished)?.reason),
    textArray(rows, ({ finished }) => storable(finished.outcome?.detail, 200)),
    textArray(rows, ({ finished }) => storable(messageIdOf(finished), 500)),
    plainArray(rows, ({ finished }) => finished.item.claim.possibleDuplicate),
    plainArray(rows, ({ finished }) => finished.startedAt.toISOString()),
    plainArray(rows, ({ finished }) => finished.completedAt.toISOString()),
    plainArray(rows, ({ step }) => step.state === 'failed'),
    ids.batchId(),
    JSON.stringify(events),
    events.length,
  ])
  if (answer?.settled === rows.length) return [...rows]
  const held = new Set(answer?.only_ids)
  return rows.filter(({ finished }) => held.has(finished.item.claim.deliveryId))
}

const failureOf = ({ outcome }: Finished) => (outcome && outcome.kind !== 'accepted' ? outcome : undefined)
const messageIdOf = ({ outcome }: Finished) => (outcome?.kind === 'accepted' ? outcome.providerMessageId : undefined)

async function disableGoneEndpoints(
  trx: pg.PoolClient,
  tenantId: string,
  failed: readonly Finished[],
  now: Date,
): Promise<void> {
  const gone = failed.flatMap(({ outcome, item }) =>
    outcome?.kind === 'rejected' && outcome.reason === 'endpoint_disabled' && item.message?.webhook
      ? [item.message.webhook.endpointId]
      : [],
  )
  if (gone.length > 0) await run(trx, disableSql, [tenantId, [...new Set(gone)], now])
}

/** Retries due within the same second travel in one job; what was handed back goes at once. */
function nextJobs(tenantId: string, settled: readonly Settled[]): NewJob[] {
  const jobs = new Map<string, NewJob>()
  for (const { finished, step } of settled) {
    if (step.state !== 'retrying' && step.state !== 'queued') continue
    const { channel, priority, deliveryId } = finished.item.claim
    // Rounded up: a job must not come before its delivery is due.
    const second = step.state === 'retrying' ? Math.ceil(step.nextAttemptAt.getTime() / 1000) : 0
    const key = `${channel} ${priority} ${second}`
    let job = jobs.get(key)
    if (!job) {
      job = {
        queue: deliveriesQueue(channel, laneOf(priority)),
        data: { tenant_id: tenantId, ids: [], priority },
        priority,
        startAfter: second === 0 ? undefined : new Date(second * 1000),
      }
      jobs.set(key, job)
    }
    job.data.ids.push(deliveryId)
  }
  return [...jobs.values()]
}
