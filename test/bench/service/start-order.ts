import type { Samples } from '../samples.ts'
import { type Percentiles, percentilesOf } from '../statistics.ts'

/** Starts in their order: when, what priority, and how long after the intended moment and after the accept. */
export interface Starts {
  atMs: Samples
  priority: Samples
  sinceIntendedMs: Samples
  sinceAcceptedMs: Samples
}

/** By priority as stored, where there were any. */
export type ByPriority<T> = Record<number, T>

export interface StartOrder {
  sinceIntended: ByPriority<Percentiles>
  sinceAccepted: ByPriority<Percentiles>
  /** Of all starts after the last accept: how many, and what share began while nothing of a higher priority waited. */
  drained: number
  inOrderShare: number
  /** Mean place in that drain, from 0 (first) to 1 (last). */
  meanPlace: ByPriority<number>
}

/** Where everything that starts after `drainFromMs` had been accepted by then. */
export function startOrderOf(starts: Starts, drainFromMs: number): StartOrder {
  const priorities = starts.priority.values()
  const atMs = starts.atMs.values()
  const kinds = [...new Set(priorities)].sort()
  const from = atMs.findIndex((at) => at >= drainFromMs)
  const drain = from < 0 ? new Float64Array() : priorities.subarray(from)
  const waiting: ByPriority<number> = {}
  const places = Object.fromEntries(kinds.map((priority) => [priority, { sum: 0, count: 0 }]))
  for (const priority of drain) waiting[priority] = (waiting[priority] ?? 0) + 1
  let inOrder = 0
  drain.forEach((priority, place) => {
    if (!kinds.some((other) => other > priority && waiting[other]! > 0)) inOrder++
    waiting[priority]!--
    const sum = places[priority]!
    sum.sum += place / Math.max(1, drain.length - 1)
    sum.count++
  })
  const each = <T>(of: (priority: number) => T): ByPriority<T> =>
    Object.fromEntries(kinds.map((priority) => [priority, of(priority)]))
  const percentiles = (samples: Samples) =>
    each((priority) => percentilesOf(samples.values().filter((_, index) => priorities[index] === priority)))
  return {
    sinceIntended: percentiles(starts.sinceIntendedMs),
    sinceAccepted: percentiles(starts.sinceAcceptedMs),
    drained: drain.length,
    inOrderShare: drain.length === 0 ? 1 : Math.round((inOrder / drain.length) * 1_000) / 1_000,
    meanPlace: each((priority) => {
      const { sum, count } = places[priority]!
      return Math.round((sum / count) * 1_000) / 1_000 // NaN where all had started before
    }),
  }
}
