import { compileExpression, type Expression } from './expressions/compile-expression.ts'
import type { Scope } from './expressions/scope.ts'
import type { Recurrence } from './schedule.ts'
import { nextOccurrence } from './time/recurrence.ts'
import type { Want } from './want.ts'

/** What holds a notification back before any other gate is asked. */
export type HeldBack = NonNullable<Want['heldBack']>

/** Events that match are told to nobody, from `startsAt` until `endsAt`; with a recurrence for so long from each occurrence. */
export interface Silence {
  id: string
  /** CEL over `event` and `now`. */
  matcher: string
  startsAt: Date
  /** Absent only with a recurrence: it comes again for ever. */
  endsAt?: Date
  recurrence?: Recurrence
  durationMs?: number
  author: string
  comment: string
}

/** An event, or a direct request, as matchers see it. `id` is its intent's. */
export interface Alert {
  id: string
  scope: Scope
}

/** How matchers of silences and inhibitions are compiled. */
export const matcherOptions = { kind: 'condition', variables: ['event', 'now'] } as const

export interface SilenceWindow {
  from: Date
  until: Date
}

export interface CompiledSilence {
  silence: Silence
  matcher: Expression
  /** The window that holds at this moment. */
  windowAt(now: Date): SilenceWindow | undefined
}

/** Makes silences ready to be asked; one whose matcher does not compile any more is left out. Once for each version of them. */
export function compileSilences(silences: readonly Silence[]): CompiledSilence[] {
  return silences.flatMap((silence) => {
    const compiled = compileExpression(silence.matcher, matcherOptions)
    return compiled.ok ? [{ silence, matcher: compiled.expression, windowAt: windowsOf(silence) }] : []
  })
}

/** A silence's window at a moment. Occurrences are slow to find, so the last answer is kept for as long as it holds. */
export function windowsOf({
  startsAt,
  endsAt,
  recurrence,
  durationMs,
}: Pick<Silence, 'startsAt' | 'endsAt' | 'recurrence' | 'durationMs'>): (now: Date) => SilenceWindow | undefined {
  const isWithin = (now: Date) => startsAt <= now && (endsAt === undefined || now < endsAt)
  if (!recurrence || durationMs === undefined) {
    return (now) => (isWithin(now) && endsAt ? { from: startsAt, until: endsAt } : undefined)
  }
  // The first window that ends after a moment holds then, or is the next one.
  let known: { asked: Date; window: SilenceWindow | undefined } | undefined
  return (now) => {
    if (!isWithin(now)) return undefined
    const isKnown = known && known.asked <= now && (known.window === undefined || now < known.window.until)
    if (!known || !isKnown) {
      const from = nextOccurrence(recurrence, new Date(now.getTime() - durationMs), 'UTC')
      known = { asked: now, window: from && { from, until: new Date(from.getTime() + durationMs) } }
    }
    const { window } = known
    if (!window || window.from > now) return undefined
    return endsAt && endsAt < window.until ? { from: window.from, until: endsAt } : window
  }
}

/** A silence whose window holds at the moment. */
export interface ActiveSilence extends CompiledSilence {
  until: Date
}

/** Of these the one that holds the longest stands first, and speaks for what several hold back. */
export function activeSilences(silences: readonly CompiledSilence[], now: Date): ActiveSilence[] {
  return silences
    .flatMap((each) => {
      const window = each.windowAt(now)
      return window ? [{ ...each, until: window.until }] : []
    })
    .sort((a, b) => b.until.getTime() - a.until.getTime())
}

export const heldBy = ({ silence, until }: ActiveSilence): HeldBack => ({
  reason: 'silenced',
  id: silence.id,
  until,
  comment: silence.comment,
})

/** Which of these events a silence holds back at this moment, by their ids. */
export function silenced(
  silences: readonly CompiledSilence[],
  alerts: readonly Alert[],
  now: Date,
): Map<string, HeldBack> {
  const active = activeSilences(silences, now)
  const held = new Map<string, HeldBack>()
  if (active.length === 0) return held
  for (const { id, scope } of alerts) {
    const found = active.find(({ matcher }) => holds(matcher, scope))
    if (found) held.set(id, heldBy(found))
  }
  return held
}

/** Whether a condition holds; what faults, or is no boolean, does not. */
export function holds(condition: Expression, scope: Scope): boolean {
  const said = condition.evaluate(scope)
  return said.ok && said.value === true
}
