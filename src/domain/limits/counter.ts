import { type Slots, slotAt, startOfSlot } from './slots.ts'

/** What was sent under one limit, as it is stored. */
export interface StoredCounter {
  every: Slots['every']
  span: number
  /** The slot of the first count; the others follow it without a gap. */
  first: number
  counts: number[]
  /** The place that was last promised to what has to wait: a slot, and how many were told to come in it. */
  booked?: [slot: number, count: number]
  /** Of a quota: the greatest percentage that was warned of, in the latest slot. */
  warned?: number
}

/** A counter at one moment: `slot` is the one in which is counted now, `total` what the window holds. */
export interface Counter {
  slots: Slots
  slot: number
  total: number
  stored: StoredCounter
}

/**
 * Opens a counter at a moment: what is out of the window is forgotten. Where another process, whose clock is ahead, has
 * counted in a later slot, that slot is the present: counts never come before what was already decided on.
 */
export function openCounter(slots: Slots, stored: StoredCounter | undefined, nowMs: number): Counter {
  const present = slotAt(slots, nowMs)
  const kept = stored && fitted(slots, stored, nowMs)
  const last = kept ? kept.first + kept.counts.length - 1 : present
  const slot = Math.max(present, last)
  const counter: Counter = { slots, slot, total: 0, stored: { ...slots, first: slot, counts: [] } }
  if (kept) keep(counter, kept, slot === last)
  return counter
}

function keep(counter: Counter, kept: StoredCounter, isPresent: boolean): void {
  const { slot, slots } = counter
  const out = Math.max(0, slot - slots.span + 1 - kept.first)
  const counts = kept.counts.slice(out)
  const empty = counts.findIndex((count) => count > 0)
  if (empty >= 0) {
    counter.stored.first = kept.first + out + empty
    counter.stored.counts = counts.slice(empty)
    for (const count of counter.stored.counts) counter.total += count
  }
  if (kept.booked && kept.booked[0] > slot) counter.stored.booked = kept.booked
  if (kept.warned === undefined || !isPresent) return
  counter.stored.warned = kept.warned
  if (empty < 0) counter.stored.counts = [0] // all of it was taken back: the warning stands
}

/** A counter whose limit has another window now, or that a clock which was wrong has moved out of the present. */
function fitted(slots: Slots, stored: StoredCounter, nowMs: number): StoredCounter | undefined {
  if (stored.counts.length === 0) return undefined
  const present = slotAt(slots, nowMs)
  const isSame = stored.every === slots.every && stored.span === slots.span
  if (isSame && stored.first + stored.counts.length - 1 <= present + slots.span) return stored
  if (!isSame && (typeof stored.every !== 'number' || typeof slots.every !== 'number')) return undefined

  // As if all of a slot had been sent at its end, so that the new window holds no less than was sent in it.
  const moved = stored.counts.map((count, index) => {
    const endMs = startOfSlot(stored, stored.first + index + 1) - 1
    return { slot: slotAt(slots, Math.min(endMs, nowMs)), count }
  })
  const first = Math.max(moved[0]!.slot, present - slots.span + 1)
  const counts = Array.from({ length: present - first + 1 }, () => 0)
  for (const { slot, count } of moved) if (slot >= first) counts[slot - first]! += count
  return { every: slots.every, span: slots.span, first, counts }
}

export function addTo(counter: Counter, count: number): void {
  const { stored, slot } = counter
  if (stored.counts.length === 0) stored.first = slot
  for (let last = stored.first + stored.counts.length - 1; last < slot; last++) stored.counts.push(0)
  stored.counts[slot - stored.first]! += count
  counter.total += count
}

/** Takes back what was counted at a moment, as far as it is still counted. */
export function takeFrom(counter: Counter, count: number, atMs: number): void {
  const { stored, slots } = counter
  let left = count
  for (let index = Math.max(0, slotAt(slots, atMs) - stored.first); index < stored.counts.length && left > 0; index++) {
    const taken = Math.min(left, stored.counts[index]!)
    stored.counts[index]! -= taken
    counter.total -= taken
    left -= taken
  }
}

/**
 * When what has to wait is told to come back: places become free as what was sent leaves the window, and are promised in
 * turn; after the last one in the first again, though not all will find room then. A promise only spreads those who wait
 * over the window: who comes asks anew, and nobody waits longer for one that was given up. undefined: nothing will be free.
 */
export function bookIn(counter: Counter, max: number): Date | undefined {
  const { slots, slot, stored, total } = counter
  if (total < max || max === 0) return undefined
  const leaving = (later: number) => {
    const windows = Math.ceil((later - slot) / slots.span)
    return stored.counts[later - windows * slots.span - stored.first] ?? 0
  }
  let first = slot
  for (let holds = total; holds >= max; holds -= leaving(first)) first++
  const [last, promised] = stored.booked ?? [0, 0]
  let later = Math.max(first, last)
  while (leaving(later) <= (later === last ? promised : 0)) later++
  if (later >= first + slots.span) later = first
  stored.booked = [later, later === last && leaving(later) > promised ? promised + 1 : 1]
  return new Date(startOfSlot(slots, later))
}

/** From when on a counter says nothing any more. */
export function idleFrom({ every, span, first, counts, booked }: StoredCounter): number {
  const after = first + counts.length - 1 + span
  return startOfSlot({ every, span }, Math.max(after, booked ? booked[0] + 1 : after))
}
