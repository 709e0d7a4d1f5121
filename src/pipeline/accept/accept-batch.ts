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
  reserve(lane: Lane, tenantId: string, count: number): boolean
  release(lane: Lane, tenantId: string, count: number): void
  plan(lane: Lane, chunk: AcceptedChunk): void
}

export interface AcceptBatchDeps {
  pool: Queryable
  ids: IdSource
  clock: Clock
  keyTtlMs: number
  /** Intents that are planned together at most. */
  chunkSize: number
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
  const shares = new Map<string, Share>()
  for (const { tenantId, priority } of intents) {
    const lane = laneOf(priority)
    const share = shares.get(keyOf(lane, tenantId)) ?? { lane, tenantId, count: 0 }
    share.count++
    shares.set(keyOf(lane, tenantId), share)
  }
  const planner = on.planner && reserveAll(on.planner, [...shares.values()]) ? on.planner : undefined
  try {
    const { answers, claimed } = await acceptIntents(on.pool, intents, on.ids, on.clock.now(), on.keyTtlMs, {
      claim: planner !== undefined,
      chunkSize: on.chunkSize,
    })
    for (const chunk of claimed) {
      const lane = laneOf(chunk.priority)
      shares.get(keyOf(lane, chunk.tenantId))!.count -= chunk.intents.length
      planner!.plan(lane, chunk)
    }
    return answers
  } finally {
    if (planner) for (const { lane, tenantId, count } of shares.values()) planner.release(lane, tenantId, count)
    else for (const lane of new Set([...shares.values()].map(({ lane }) => lane))) on.wake(intentsQueue(lane))
  }
}

/** What of a batch is one tenant's in one lane; in the end, what of it was a duplicate or is due later. */
interface Share {
  lane: Lane
  tenantId: string
  count: number
}

const keyOf = (lane: Lane, tenantId: string) => `${lane} ${tenantId}`

function reserveAll(planner: Planner, shares: readonly Share[]): boolean {
  const reserved: Share[] = []
  for (const share of shares) {
    if (!planner.reserve(share.lane, share.tenantId, share.count)) {
      for (const { lane, tenantId, count } of reserved) planner.release(lane, tenantId, count)
      return false
    }
    reserved.push(share)
  }
  return true
}
