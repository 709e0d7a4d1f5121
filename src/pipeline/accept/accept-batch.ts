import type { AcceptAnswer, NewIntent } from '../../domain/intent.ts'
import { type Lane, laneOf } from '../../domain/priority.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Queryable } from '../../platform/db.ts'
import type { IdSource } from '../../platform/id-source.ts'
import { intentsQueue } from '../../queue/queues.ts'
import { type AcceptedChunk, acceptIntents } from './accept-intents.ts'

/** Workers in this process, that can plan what it accepts without a look into the queue. */
export interface Planner {
  /** Whether there is room for so many intents; the room is then taken. */
  reserve(lane: Lane, count: number): boolean
  release(lane: Lane, count: number): void
  plan(lane: Lane, chunk: AcceptedChunk): void
}

export interface AcceptBatchDeps {
  pool: Queryable
  ids: IdSource
  clock: Clock
  keyTtlMs: number
  /** Absent where this process has no workers. */
  planner?: Planner
  /** Wakes the workers of a queue, here or in other processes. */
  wake(queue: string): void
}

/**
 * Accepts a batch, and hands what is due to the planner of this process if it keeps up; else it waits in the queue for
 * whoever is free.
 */
export async function acceptBatch(intents: readonly NewIntent[], on: AcceptBatchDeps): Promise<AcceptAnswer[]> {
  const counts = Map.groupBy(intents, ({ priority }) => laneOf(priority))
  const free = new Map([...counts].map(([lane, members]) => [lane, members.length]))
  const planner = on.planner && reserveAll(on.planner, free) ? on.planner : undefined
  try {
    const { answers, claimed } = await acceptIntents(
      on.pool,
      intents,
      on.ids,
      on.clock.now(),
      on.keyTtlMs,
      planner !== undefined,
    )
    for (const chunk of claimed) {
      const lane = laneOf(chunk.priority)
      free.set(lane, free.get(lane)! - chunk.intents.length)
      planner!.plan(lane, chunk)
    }
    return answers
  } finally {
    for (const [lane, count] of free) {
      if (planner)
        planner.release(lane, count) // what was a duplicate, or is due later
      else on.wake(intentsQueue(lane))
    }
  }
}

function reserveAll(planner: Planner, counts: ReadonlyMap<Lane, number>): boolean {
  const reserved: [Lane, number][] = []
  for (const [lane, count] of counts) {
    if (!planner.reserve(lane, count)) {
      for (const [lane, count] of reserved) planner.release(lane, count)
      return false
    }
    reserved.push([lane, count])
  }
  return true
}
