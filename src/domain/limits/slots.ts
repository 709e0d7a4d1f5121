import type { Limit } from '../limit.ts'

/**
 * How time is cut for a limit: what was sent is counted by slots, and the `span` latest of them must not hold more than the
 * limit. A sliding window of so many seconds is sixty slots and one more, so that wherever it begins within a slot all of it
 * is counted: no true window ever holds more than the limit, and room comes up to a sixtieth of the window late.
 */
export interface Slots {
  /** Milliseconds, or a calendar day or month of UTC. */
  every: number | 'day' | 'month'
  span: number
}

const slotsPerWindow = 60
const dayMs = 86_400_000

export function slotsOf(window: Limit['window']): Slots {
  if ('calendar' in window) return { every: window.calendar, span: 1 }
  const windowMs = window.seconds * 1_000
  const every = Math.ceil(windowMs / slotsPerWindow)
  return { every, span: Math.ceil(windowMs / every) + 1 }
}

/** The number of the slot that a moment is in. */
export function slotAt({ every }: Slots, atMs: number): number {
  if (every === 'day') return Math.floor(atMs / dayMs)
  if (every !== 'month') return Math.floor(atMs / every)
  const at = new Date(atMs)
  return at.getUTCFullYear() * 12 + at.getUTCMonth()
}

/** When a slot begins. */
export function startOfSlot({ every }: Slots, slot: number): number {
  if (every === 'day') return slot * dayMs
  return every === 'month' ? Date.UTC(Math.floor(slot / 12), slot % 12) : slot * every
}
