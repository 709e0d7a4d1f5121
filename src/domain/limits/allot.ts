import type { Channel } from '../channel.ts'
import type { Limit } from '../limit.ts'
import { priorities } from '../priority.ts'
import { addTo, bookIn, type Counter, idleFrom, openCounter, takeFrom } from './counter.ts'
import type { Counts } from './counts-text.ts'
import { slotsOf } from './slots.ts'

/** A delivery that asks for a place under the limits that concern it. */
export interface Ask {
  /** The caller's own name of it. */
  deliveryKey: string
  /** Absent: of nobody (a fixed target), whom no limit of users concerns. */
  recipientId?: string
  category?: string
  channel: Channel
  priority: number
  /** What the category says; `snooze` where it says nothing. */
  onExcess?: 'snooze' | 'suppress'
}

/** Why a delivery has to wait, or is not sent: the limit that holds it longest. */
export interface Refusal {
  limit: Limit
  onExcess: 'snooze' | 'suppress'
  /** When there may be room; of what is snoozed. */
  until?: Date
  used: number
  max: number
}

/** Whose counts stand in a row: a recipient's id, or one of these two. */
export const ofTenant = ''
/** No text of a row: the system's counts are the nil tenant's own. */
export const ofSystem = null
export type Subject = string | null

/** In-app and audit lines disturb nobody: they count where a limit names them. */
const silent: readonly Channel[] = ['in_app', 'audit']

/** Whether a limit concerns deliveries of a channel and category. `marketing` covers `marketing.news`, too. */
export function concerns(limit: Limit, channel: Channel, category: string | undefined): boolean {
  if (limit.channel ? limit.channel !== channel : silent.includes(channel)) return false
  return !limit.category || category === limit.category || category?.startsWith(`${limit.category}.`) === true
}

/** Finds the limits of an ask; the same list for the same channel, category and kind of recipient. */
export function limitFinder(limits: readonly Limit[]): (ask: Omit<Ask, 'deliveryKey'>) => readonly Limit[] {
  const found = new Map<string, readonly Limit[]>()
  return ({ channel, category, recipientId }) => {
    const key = `${channel} ${recipientId === undefined ? '' : 'of a user'} ${category ?? ''}`
    let those = found.get(key)
    if (!those) {
      const fits = (limit: Limit) => limit.scope !== 'user' || recipientId !== undefined
      those = limits.filter((limit) => fits(limit) && concerns(limit, channel, category))
      found.set(key, those)
    }
    return those
  }
}

export function subjectOf(limit: Limit, ask: Pick<Ask, 'recipientId'>): Subject {
  if (limit.scope === 'system') return ofSystem
  return limit.scope === 'tenant' ? ofTenant : ask.recipientId!
}

/** A quota of the tenant has come to so many percent of what it may be. */
export interface Warning {
  limit: Limit
  percent: number
  used: number
}

const warnedAt = [80, 100] as const

/** What a chunk of asks comes to: what is not let through, and what is to be written. */
export interface Allotment {
  refused: Map<string, Refusal>
  changed: Map<Subject, Counts>
  warnings: Warning[]
}

/**
 * Lets through what all of its limits have room for, the most urgent first, else in order; what is refused is counted
 * nowhere. `counts` is what was counted before, and is changed.
 */
export function allot(
  asks: readonly Ask[],
  limits: readonly Limit[],
  counts: Map<Subject, Counts>,
  now: Date,
): Allotment {
  const limitsOf = limitFinder(limits)
  const counterOf = counterOpener(counts, now.getTime())
  const allotment: Allotment = { refused: new Map(), changed: new Map(), warnings: [] }
  const order = asks.some(({ priority }) => priority !== asks[0]!.priority)
    ? asks.toSorted((one, other) => other.priority - one.priority)
    : asks
  for (const ask of order) {
    const concerned = limitsOf(ask)
    const open = concerned.map((limit) => counterOf(limit, subjectOf(limit, ask)))
    const isCritical = ask.priority === priorities.CRITICAL
    const isFull = (counter: Counter, index: number) =>
      counter.total >= concerned[index]!.max && !(isCritical && concerned[index]!.allowCritical)
    if (open.some(isFull)) {
      const full = concerned.flatMap((limit, index) =>
        isFull(open[index]!, index) ? [{ limit, counter: open[index]! }] : [],
      )
      const refusal = refuse(ask, full)
      allotment.refused.set(ask.deliveryKey, refusal)
      if (!refusal.until) continue
      for (const { limit } of full) noteChanged(allotment, counts, subjectOf(limit, ask))
      continue
    }
    for (const [index, counter] of open.entries()) {
      const limit = concerned[index]!
      addTo(counter, 1)
      warn(limit, counter, allotment.warnings)
      noteChanged(allotment, counts, subjectOf(limit, ask))
    }
  }
  return allotment
}

/** Takes back the counts of deliveries that were let through at a moment, and were not sent after all. */
export function giveBack(
  asks: readonly Ask[],
  limits: readonly Limit[],
  counts: Map<Subject, Counts>,
  at: Date,
): Pick<Allotment, 'changed'> {
  const limitsOf = limitFinder(limits)
  const counterOf = counterOpener(counts, at.getTime())
  const changed: Allotment['changed'] = new Map()
  for (const ask of asks) {
    for (const limit of limitsOf(ask)) {
      const subject = subjectOf(limit, ask)
      takeFrom(counterOf(limit, subject), 1, at.getTime())
      noteChanged({ changed }, counts, subject)
    }
  }
  return { changed }
}

function noteChanged(
  { changed }: Pick<Allotment, 'changed'>,
  counts: ReadonlyMap<Subject, Counts>,
  subject: Subject,
): void {
  if (!changed.has(subject)) changed.set(subject, counts.get(subject)!)
}

/** Opens each counter once, in the counts of its subject. Those of limits that we do not know are left to who does. */
function counterOpener(counts: Map<Subject, Counts>, nowMs: number): (limit: Limit, subject: Subject) => Counter {
  const open = new Map<Limit, Map<Subject, Counter>>()
  return (limit, subject) => {
    const ofLimit = open.get(limit) ?? new Map<Subject, Counter>()
    open.set(limit, ofLimit)
    let counter = ofLimit.get(subject)
    if (!counter) {
      const stored = counts.get(subject) ?? {}
      counts.set(subject, stored)
      counter = openCounter(slotsOf(limit.window), stored[limit.id], nowMs)
      stored[limit.id] = counter.stored
      ofLimit.set(subject, counter)
    }
    return counter
  }
}

function refuse(ask: Ask, full: readonly { limit: Limit; counter: Counter }[]): Refusal {
  const said = (limit: Limit) => limit.onExcess ?? ask.onExcess ?? 'snooze'
  const refusal = ({ limit, counter }: (typeof full)[number], until?: Date): Refusal => ({
    limit,
    onExcess: until ? 'snooze' : 'suppress',
    until,
    used: counter.total,
    max: limit.max,
  })
  const final = full.find(({ limit }) => said(limit) === 'suppress')
  if (final) return refusal(final)
  const waits = full.map((one) => refusal(one, bookIn(one.counter, one.limit.max)))
  return waits.reduce((longest, one) => ((one.until ?? never) > (longest.until ?? never) ? one : longest))
}

const never = new Date(8.64e15)

function warn(limit: Limit, counter: Counter, warnings: Warning[]): void {
  if (limit.scope !== 'tenant' || !('calendar' in limit.window)) return
  for (const percent of warnedAt) {
    if (counter.total * 100 < limit.max * percent || (counter.stored.warned ?? 0) >= percent) continue
    counter.stored.warned = percent
    warnings.push({ limit, percent, used: counter.total })
  }
}

/** From when on nothing in a row of counts says anything, in milliseconds; those that do so already are dropped from it. */
export function tidyCounts(counts: Counts, now: Date): number {
  let idleAt = 0
  for (const id in counts) {
    const counter = counts[id]!
    const idle = counter.counts.length === 0 ? 0 : idleFrom(counter)
    if (idle <= now.getTime()) delete counts[id]
    else if (idle > idleAt) idleAt = idle
  }
  return idleAt
}
