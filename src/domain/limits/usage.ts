import type { Limit } from '../limit.ts'
import { openCounter } from './counter.ts'
import type { Counts } from './counts-text.ts'
import { slotsOf, startOfSlot } from './slots.ts'

/** How much of a limit is used up at a moment. */
export interface Usage {
  used: number
  remaining: number
  /** Since when is counted. */
  since: Date
  /** When some of it leaves the window, or a new day or month begins; undefined: nothing is used. */
  freesAt?: Date
}

export function usageOf(limit: Limit, counts: Counts | undefined, now: Date): Usage {
  const { total, slots, slot, stored } = openCounter(slotsOf(limit.window), counts?.[limit.id], now.getTime())
  return {
    used: total,
    remaining: Math.max(0, limit.max - total),
    since: new Date(startOfSlot(slots, slot - slots.span + 1)),
    freesAt: total > 0 ? new Date(startOfSlot(slots, stored.first + slots.span)) : undefined,
  }
}
