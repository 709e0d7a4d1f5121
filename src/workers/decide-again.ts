import type pg from 'pg'
import type { GateSettings } from '../domain/decide.ts'
import { type Snoozed, type TakenSnoozes, takeSnoozed } from '../pipeline/enrich/take-snoozed.ts'
import { stillHeldBack } from '../pipeline/match/hold-back.ts'
import { scopeOfIntent } from '../pipeline/match/match-events.ts'
import { permit } from '../pipeline/permit/permit.ts'
import { settleSnoozed } from '../pipeline/plan/settle-snoozed.ts'
import { releaseFallbacks } from '../pipeline/settle/release-fallbacks.ts'
import type { Clock } from '../platform/clock.ts'
import { inTransaction, isLostConnection, isPassingFault, type Queryable } from '../platform/db.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { Logger } from '../platform/logger.ts'
import { postponeSnooze } from '../store/snoozes.ts'
import type { TemplateCatalogue } from '../store/template-catalogue.ts'
import type { SettingsCatalogue, TenantSettings } from '../store/tenant-settings.ts'
import { keepLimits } from './keep-limits.ts'

export interface DecideAgainDeps {
  /** Not of the flow. */
  pool: pg.Pool
  clock: Clock
  ids: IdSource
  catalogue: TemplateCatalogue
  settings: SettingsCatalogue
  gates: GateSettings
  /** Deliveries in one job at most. */
  chunkSize: number
  /** Wakes the workers of a queue, after the commit. */
  wake(queue: string): void
  /** Hears of a delivery that cannot be decided. */
  logger?: Pick<Logger, 'error'>
}

/** Snoozes that one transaction takes on: whoever changes his preferences waits for it, and the API waits half a second at most. */
export const mostSnoozes = 200

/** One that cannot be decided is tried again then, and holds up no other. */
const postponedMs = 60_000

/**
 * Decides deliveries again whose wait is over, or whose recipient has changed something: all gates are asked as they stand
 * now. Where some of them cannot be decided, halves are taken, down to the one that is to blame. Gives how many it took.
 */
export async function decideAgain(on: DecideAgainDeps): Promise<number> {
  const now = on.clock.now()
  let most = mostSnoozes
  let count = 0
  for (;;) {
    const taken: TakenSnoozes[] = []
    try {
      count += await decideSome(on, most, taken, now)
      if (most === mostSnoozes) return count
      most = Math.min(2 * most, mostSnoozes)
    } catch (error) {
      const size = sizeOf(taken)
      if (size === 0 || isPassingFault(error)) throw error
      most = Math.ceil(size / 2)
      if (size > 1) continue
      const { tenantId, ids } = taken[0]!
      on.logger?.error({ err: error, delivery: ids[0] }, 'a delivery that waited cannot be decided, and waits on')
      await postponeSnooze(on.pool, tenantId, ids[0]!, new Date(now.getTime() + postponedMs))
    }
  }
}

const sizeOf = (taken: readonly TakenSnoozes[]): number => taken.reduce((sum, { ids }) => sum + ids.length, 0)

/** Taken and written in one transaction, so that a process that dies in it leaves them waiting. `taken`: what a failure is about. */
async function decideSome(on: DecideAgainDeps, most: number, taken: TakenSnoozes[], now: Date): Promise<number> {
  const queues = new Set<string>()
  const releases: (() => Promise<void>)[] = []
  try {
    await inTransaction(on.pool, async (trx) => {
      taken.push(...(await takeSnoozed(trx, most, now)))
      for (const each of taken) {
        const { waking, release } = await decideTenant(trx, each, on, now)
        releases.push(release)
        for (const queue of waking) queues.add(queue)
      }
    })
  } catch (error) {
    // It may have been written all the same, and then more would go out than the limits allow.
    if (!isLostConnection(error)) for (const release of releases) await release()
    throw error
  }
  for (const queue of queues) on.wake(queue)
  return sizeOf(taken)
}

async function decideTenant(
  trx: Queryable,
  { tenantId, ids, waiting: load }: TakenSnoozes,
  on: DecideAgainDeps,
  now: Date,
): Promise<{ waking: string[]; release: () => Promise<void> }> {
  const waiting = await load()
  const settings = await on.settings.of(tenantId)
  const candidates = await withHeldBack(trx, tenantId, waiting, settings, now)
  await on.catalogue.load(
    tenantId,
    candidates.flatMap(({ wanted }) => wanted.template ?? []),
  )
  const permitted = permit(candidates, on.catalogue, on.gates, settings, now)
  const { decided, release } = await keepLimits(on.pool, tenantId, permitted, settings, now)
  try {
    const { queues, stopped } = await settleSnoozed(trx, tenantId, decided, ids, on.chunkSize, on.ids, now)
    const gone = new Set(stopped)
    const ended = waiting.filter(({ id }) => gone.has(id)).map(endedOf)
    await releaseFallbacks(trx, tenantId, ended, on.ids, now)
    return { waking: queues, release }
  } catch (error) {
    await release()
    throw error
  }
}

/** What holds them back by now. */
async function withHeldBack(
  trx: Queryable,
  tenantId: string,
  waiting: readonly Snoozed[],
  { alerts }: TenantSettings,
  now: Date,
): Promise<Snoozed[]> {
  const events = waiting
    .filter(({ wanted }) => wanted.intent.payload.statusEvent === undefined)
    .map(({ id, wanted }) => ({ id, scope: scopeOfIntent(wanted.intent, now) }))
  const held = await stillHeldBack(trx, tenantId, events, alerts, now)
  return waiting.map((each) => ({ ...each, wanted: { ...each.wanted, heldBack: held.get(each.id) } }))
}

function endedOf({ id, hasFallback, recipient, wanted: { intent } }: Snoozed) {
  return {
    deliveryId: id,
    about: {
      recipient_id: recipient.id,
      type: intent.type,
      has_fallback: hasFallback,
      idempotency_key: intent.idempotencyKey ?? null,
      correlation_id: intent.correlationId ?? null,
      traceparent: intent.traceparent ?? null,
    },
  }
}
