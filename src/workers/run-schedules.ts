import type pg from 'pg'
import type { NewIntent } from '../domain/intent.ts'
import { laneOf } from '../domain/priority.ts'
import { type DueOccurrence, dueOccurrence, occurrenceKey } from '../domain/recurring.ts'
import { nextOccurrence } from '../domain/time/recurrence.ts'
import { acceptIntents } from '../pipeline/accept/accept-intents.ts'
import { validateEvent } from '../pipeline/accept/validate-event.ts'
import { validateSend } from '../pipeline/accept/validate-send.ts'
import { inTransaction, isPassingFault } from '../platform/db.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { Logger } from '../platform/logger.ts'
import { statusEventsTopic } from '../platform/wake.ts'
import { intentsQueue } from '../queue/queues.ts'
import { type KeptSchedule, noteScheduleRuns, type ScheduleRun, takeDueSchedules } from '../store/schedules.ts'

export interface RunSchedulesDeps {
  /** In the role carillon_worker. */
  pool: pg.Pool
  ids: IdSource
  keyTtlMs: number
  /** Intents that are planned together at most. */
  chunkSize: number
  logger: Pick<Logger, 'warn'>
  /** Announces a queue that has got work, or new status events. */
  ring(topic: string): void
}

const atOnce = 100

/**
 * Asks for what is due of all recurring schedules, and gives how many were asked for. A schedule moves on in the transaction
 * that accepts its occurrence, so each is accepted once; after a standstill only the last one that was missed is.
 */
export async function runSchedules(on: RunSchedulesDeps, now: Date): Promise<number> {
  let accepted = 0
  for (;;) {
    const done = await runSome(on, now)
    accepted += done.accepted
    if (done.taken < atOnce) return accepted
  }
}

interface Done {
  taken: number
  accepted: number
}

async function runSome(on: RunSchedulesDeps, now: Date): Promise<Done> {
  try {
    return await runBatch(on, now, atOnce, true)
  } catch (error) {
    if (isPassingFault(error)) throw error
    on.logger.warn({ err: error }, 'schedules could not be run together; each is run by itself')
  }
  const done: Done = { taken: 0, accepted: 0 }
  while (done.taken < atOnce) {
    const one = await runBatch(on, now, 1, true).catch(async (error: unknown) => {
      if (isPassingFault(error)) throw error
      on.logger.warn({ err: error }, 'a schedule could not be run; it goes on with its next occurrence')
      return runBatch(on, now, 1, false)
    })
    if (one.taken === 0) break
    done.taken++
    done.accepted += one.accepted
  }
  return done
}

/** `accepts`: else what is due is noted as failed. */
async function runBatch(on: RunSchedulesDeps, now: Date, limit: number, accepts: boolean): Promise<Done> {
  const { taken, runs, intents } = await inTransaction(on.pool, async (trx) => {
    const due = await takeDueSchedules(trx, now, limit)
    const judged = due.map((schedule) => judge(schedule, now, accepts))
    const intents = judged.flatMap(({ intent }) => intent ?? [])
    const { answers } =
      intents.length > 0
        ? await acceptIntents(trx, intents, on.ids, now, on.keyTtlMs, { chunkSize: on.chunkSize })
        : { answers: [] }
    const idOf = new Map(intents.map((intent, index) => [intent, answers[index]!.intentId]))
    const runs = judged.map(({ intent, ...run }) => ({ ...run, intentId: intent && idOf.get(intent) }))
    if (runs.length > 0) await noteScheduleRuns(trx, runs, now)
    return { taken: due.length, runs, intents }
  })
  for (const { tenantId, id, occurrence, error } of runs) {
    if (error) on.logger.warn({ tenantId, schedule: id, occurrence, reason: error }, 'an occurrence was not sent')
  }
  for (const queue of new Set(intents.map(({ priority }) => intentsQueue(laneOf(priority))))) on.ring(queue)
  if (intents.length > 0) on.ring(statusEventsTopic)
  return { taken, accepted: intents.length }
}

function judge(schedule: KeptSchedule, now: Date, accepts: boolean): ScheduleRun & { intent?: NewIntent } {
  const { tenantId, id, endsAt, expiresAfterMs } = schedule
  const due = dueOf(schedule, now)
  if (!due) return { tenantId, id, occurrence: schedule.nextAt!, error: 'its recurrence cannot be read any more' }
  const { occurrence, next } = due
  const run = { tenantId, id, occurrence, nextAt: next && (!endsAt || next < endsAt) ? next : undefined }
  if (!accepts) return { ...run, error: 'it could not be accepted; the log says why' }
  if (endsAt && occurrence >= endsAt) return run
  const expiresAt = expiresAfterMs === undefined ? undefined : new Date(occurrence.getTime() + expiresAfterMs)
  if (expiresAt && expiresAt <= now)
    return { ...run, error: 'it was due while the service stood still, and has expired' }
  const made = intentOf(schedule, occurrence, now)
  if (typeof made === 'string') return { ...run, error: made }
  return { ...run, intent: { ...made, expiresAt: expiresAt?.toISOString() } }
}

/** undefined: what was valid when it was written is so no more; it must not hold up the others. */
function dueOf({ nextAt, recurrence }: KeptSchedule, now: Date): DueOccurrence | undefined {
  try {
    return dueOccurrence(nextAt!, now, (after) => nextOccurrence(recurrence, after, 'UTC'))
  } catch {
    return undefined
  }
}

/** What one occurrence asks for, or what is wrong with it by now. */
function intentOf(schedule: KeptSchedule, occurrence: Date, now: Date): NewIntent | string {
  const { tenantId, id, name, kind, request } = schedule
  const key = occurrenceKey(id, occurrence)
  const caller = { tenantId, source: 'system' as const }
  const judged =
    kind === 'event'
      ? validateEvent({ ...request, id: key, occurredAt: occurrence.toISOString() }, caller, [])
      : validateSend({ ...request, idempotencyKey: key }, caller, now, { path: [], single: false })
  if (!judged.ok) return judged.faults.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')
  const { intent } = judged
  const said = { schedule: { id, name, occurrence: occurrence.toISOString() }, ...intent.payload.metadata }
  return { ...intent, payload: { ...intent.payload, metadata: said } }
}
