import type { Channel } from '../channel.ts'
import type { GateReason, Step } from '../decision.ts'
import { clockText, dayMs, wallTime } from '../time/wall-clock.ts'

/** A gate that opens later. */
export interface Hurdle {
  gate: 'schedule' | 'quiet_hours' | 'send_window'
  reason: GateReason
  inputs: Record<string, unknown>
  /** The first moment at or after `time`, in epoch milliseconds, at which it is open; undefined: none before `horizon`. */
  opens(time: number, horizon: number): number | undefined
}

export interface Wait {
  /** Absent: it need not wait. */
  until?: Date
  reason?: GateReason
  steps: Step[]
}

// Spans come again each week, and a switch of the clocks may cost one: what does not open in two weeks never does.
const horizonMs = 15 * dayMs
const reconsiderMs = 7 * dayMs

/** Channels that make no sound: what lies in an inbox or a log wakes nobody, and keeps no hours. */
export const isSilent = (channel: Channel): boolean => channel === 'in_app' || channel === 'audit'

export const clockAt = (zone: string, now: Date): string => clockText(wallTime(zone, now.getTime()))

/**
 * The first moment at which all hurdles are open together: they are asked in order, until none moves it. The reason is the
 * first that did. Where they never open together (a window that lies in quiet hours) it waits, and is looked at again in a
 * week, for somebody may have changed them.
 */
export function waitFor(hurdles: readonly Hurdle[], now: Date): Wait {
  if (hurdles.length === 0) return { steps: [] }
  const begun = now.getTime()
  let time = begun
  let horizon = begun + horizonMs
  let reason: GateReason | undefined
  const reached = new Map<Hurdle, number | undefined>()
  for (let isMoved = true; isMoved; ) {
    isMoved = false
    for (const hurdle of hurdles) {
      const opens = hurdle.opens(time, horizon)
      if (opens === time) continue
      reason ??= hurdle.reason
      reached.set(hurdle, opens)
      if (opens === undefined) {
        return { until: new Date(begun + reconsiderMs), reason, steps: stepsOf(hurdles, reached) }
      }
      if (hurdle.gate === 'schedule') horizon = opens + horizonMs
      time = opens
      isMoved = true
    }
  }
  const steps = stepsOf(hurdles, reached)
  return time > begun ? { until: new Date(time), reason, steps } : { steps }
}

function stepsOf(hurdles: readonly Hurdle[], reached: ReadonlyMap<Hurdle, number | undefined>): Step[] {
  return hurdles.map((hurdle) => {
    const { gate, reason, inputs } = hurdle
    if (!reached.has(hurdle)) return { gate, verdict: 'pass', inputs }
    const until = reached.get(hurdle)
    if (until === undefined) return { gate, verdict: 'snooze', reason, inputs: { ...inputs, opens: 'never' } }
    return { gate, verdict: 'snooze', reason, until: new Date(until).toISOString(), inputs }
  })
}
