import type pg from 'pg'
import type { GateSettings } from '../domain/decide.ts'
import { laneOf } from '../domain/priority.ts'
import { loadIntents } from '../pipeline/enrich/load-intents.ts'
import { resolveRecipients } from '../pipeline/enrich/resolve-recipients.ts'
import { markIntents, matchIntents } from '../pipeline/match/match-intents.ts'
import { permit } from '../pipeline/permit/permit.ts'
import { type PlanSettings, planNotifications } from '../pipeline/plan/plan-notifications.ts'
import type { Clock } from '../platform/clock.ts'
import { beginOverSets, inTransaction } from '../platform/db.ts'
import type { IdSource } from '../platform/id-source.ts'
import { enqueue } from '../queue/enqueue.ts'
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
}

/** Intents become notifications and deliveries: enrich → match → permit → plan. */
export async function processIntents(chunk: Chunk, on: ProcessIntentsDeps): Promise<void> {
  const now = on.clock.now()
  const intents = await loadIntents(on.pool, chunk)
  if (intents.length === 0) return
  const { matched, unmatched } = matchIntents(intents)
  const { addressees, continuations } = await resolveRecipients(on.pool, matched, chunk, on.recipientsPerChunk)
  await on.catalogue.load(
    chunk.tenant_id,
    matched.flatMap(({ payload }) => payload.template ?? []),
  )
  const decided = permit(addressees, on.catalogue, on.gates, now)

  const woken = await inTransaction(
    on.pool,
    async (trx) => {
      const ended = unmatched.map(({ id, type, correlationId, traceparent }) => ({
        id,
        data: { type, correlation_id: correlationId, traceparent },
      }))
      await markIntents(trx, chunk.tenant_id, 'unmatched', ended, on.ids, now)
      const { queues, planned } = await planNotifications(
        trx,
        chunk.tenant_id,
        decided,
        on.ids,
        on.plan,
        now,
        continuations.length > 0,
      )
      const priorities = new Map(intents.map(({ id, priority }) => [id, priority]))
      const goingOn = continuations
        .filter(({ intentId, pageBegun }) => !pageBegun || planned.has(intentId)) // planned before, its page went on then
        .map(({ intentId, after }) => {
          const priority = priorities.get(intentId) ?? 0
          const data = { tenant_id: chunk.tenant_id, ids: [intentId], after }
          return { queue: intentsQueue(laneOf(priority)), data, priority }
        })
      await enqueue(trx, goingOn)
      return [...queues, ...goingOn.map(({ queue }) => queue)]
    },
    beginOverSets,
  )
  for (const queue of woken) on.wake(queue)
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
