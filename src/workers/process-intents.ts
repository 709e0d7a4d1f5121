import type pg from 'pg'
import type { GateSettings } from '../domain/decide.ts'
import { laneOf } from '../domain/priority.ts'
import { loadIntents } from '../pipeline/enrich/load-intents.ts'
import { resolveRecipients } from '../pipeline/enrich/resolve-recipients.ts'
import { markUnmatched, matchIntents } from '../pipeline/match/match-intents.ts'
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
      await markUnmatched(trx, unmatched, on.ids, now)
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
