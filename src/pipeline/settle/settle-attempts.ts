import type pg from 'pg'
import type { Channel } from '../../domain/channel.ts'
import { laneOf } from '../../domain/priority.ts'
import type { RetryPolicy } from '../../domain/retry-policy.ts'
import { beginOverSets, inTransaction, run, statement } from '../../platform/db.ts'
import { enqueue, type NewJob } from '../../queue/enqueue.ts'
import { deliveriesQueue } from '../../queue/queues.ts'
import { recordInbox } from './record-inbox.ts'
import { releaseFallbacks } from './release-fallbacks.ts'
import { type Finished, nextStep, type Step, settlementRow } from './settlement.ts'

const settleSql = statement('settle/settle_attempts')
const disableSql = statement('settle/disable_webhook_endpoints')

export interface SettleSettings {
  policyOf(channel: Channel): RetryPolicy
  /** 0 ≤ r < 1; Math.random in production. */
  random(): number
}

/** What one flush did: every attempt that was settled, with where it led. */
export interface Settled {
  finished: Finished
  step: Step
}

/**
 * Settles one tenant's flush in one transaction: deliveries, attempts, status events, dead letters, inbox items, the
 * jobs of the next attempts. Results for lost claims change nothing and are not among what is returned.
 */
export async function settleAttempts(
  pool: pg.Pool,
  tenantId: string,
  flush: readonly Finished[],
  ids: { id(): string },
  settings: SettleSettings,
  now: Date,
): Promise<Settled[]> {
  const steps = flush.map((finished) => ({
    finished,
    step: nextStep(finished, settings.policyOf(finished.item.claim.channel), now, settings.random()),
  }))
  const rows = steps.map(({ finished, step }) => settlementRow(finished, step, ids))
  const deliveryIds = flush.map(({ item }) => item.claim.deliveryId).sort()

  return inTransaction(
    pool,
    async (trx) => {
      const bounds = [deliveryIds[0], deliveryIds.at(-1)]
      const done = await run<{ id: string }>(trx, settleSql, [
        tenantId,
        JSON.stringify(rows.map(({ row }) => row)),
        ...bounds,
        now,
        deliveryIds,
        JSON.stringify(rows.flatMap(({ events }) => events)),
      ])
      const held = new Set(done.map(({ id }) => id))
      const settled = steps.filter(({ finished }) => held.has(finished.item.claim.deliveryId))

      const ending = (state: Step['state']) =>
        settled.filter(({ step }) => step.state === state).map(({ finished }) => finished)
      await recordInbox(trx, tenantId, ending('sent'), now)
      await releaseFallbacks(trx, tenantId, [...ending('failed'), ...ending('expired')], ids, now)
      await disableGoneEndpoints(trx, tenantId, ending('failed'), now)
      await enqueue(trx, nextJobs(tenantId, settled))
      return settled
    },
    beginOverSets,
  )
}

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
        data: { tenant_id: tenantId, ids: [] },
        priority,
        startAfter: second === 0 ? undefined : new Date(second * 1000),
      }
      jobs.set(key, job)
    }
    job.data.ids.push(deliveryId)
  }
  return [...jobs.values()]
}
