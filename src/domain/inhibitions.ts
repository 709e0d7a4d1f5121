import { createHash } from 'node:crypto'
import type { ChunkBudget } from './expressions/chunk-budget.ts'
import { compileExpression, type Expression } from './expressions/compile-expression.ts'
import type { Scope } from './expressions/scope.ts'
import { type Alert, type HeldBack, holds, matcherOptions } from './silences.ts'

/** While an alert of the kind `source` is open, events of the kind `target` with equal keys are held back. All is CEL over the event. */
export interface Inhibition {
  id: string
  name: string
  source: string
  target: string
  equal: readonly string[]
  /** The events that say that it is over; absent: those of the source whose `data.status` is "resolved". */
  resolved?: string
  /** Tells alerts of one key apart, which are open and over each for itself; absent: a key has one. */
  alert?: string
  /** An alert that is not heard of for so long counts as over; absent: it is open until it is resolved. */
  openForMs?: number
}

export interface CompiledInhibition {
  inhibition: Inhibition
  source: Expression
  target: Expression
  equal: readonly Expression[]
  resolved: Expression
  alert?: Expression
}

const statusIsResolved = 'event.data.status == "resolved"'

/** Makes inhibitions ready to be asked; one that does not compile any more is left out. */
export function compileInhibitions(inhibitions: readonly Inhibition[]): CompiledInhibition[] {
  return inhibitions.flatMap((inhibition) => {
    const source = compiled(inhibition.source, 'condition')
    const target = compiled(inhibition.target, 'condition')
    const resolved = compiled(inhibition.resolved ?? statusIsResolved, 'condition')
    const equal = inhibition.equal.flatMap((text) => compiled(text, 'value') ?? [])
    const alert = inhibition.alert === undefined ? undefined : compiled(inhibition.alert, 'value')
    const isWhole = equal.length === inhibition.equal.length && (alert || inhibition.alert === undefined)
    return source && target && resolved && isWhole ? [{ inhibition, source, target, resolved, equal, alert }] : []
  })
}

function compiled(text: string, kind: 'condition' | 'value'): Expression | undefined {
  const said = compileExpression(text, { ...matcherOptions, kind })
  return said.ok ? said.expression : undefined
}

/** What an event says of an alert. Ids of intents stand in the order in which they were accepted. */
export interface Mark {
  id: string
  opens: boolean
}

/** An event of a source. */
export interface Said extends Mark {
  inhibition: Inhibition
  key: string
  alert: string
}

/** An event of a target. */
export interface Asked {
  id: string
  inhibition: Inhibition
  key: string
}

/** What these events say of alerts, and of which of them it is to be asked whether they are held back. */
export function readAlerts(
  inhibitions: readonly CompiledInhibition[],
  alerts: readonly Alert[],
  budget?: ChunkBudget,
): { said: Said[]; asked: Asked[] } {
  const said: Said[] = []
  const asked: Asked[] = []
  for (const { inhibition, ...ask } of inhibitions) {
    const look = ({ id, scope }: Alert) => {
      const isSource = holds(ask.source, scope)
      const isResolved = (isSource || inhibition.resolved !== undefined) && holds(ask.resolved, scope)
      // What is of both kinds is never held back: neither by itself nor by its like.
      if (isSource || isResolved) {
        const alert = ask.alert ? keyOf([ask.alert], scope) : ''
        said.push({ id, inhibition, key: keyOf(ask.equal, scope), alert, opens: !isResolved })
      } else if (holds(ask.target, scope)) asked.push({ id, inhibition, key: keyOf(ask.equal, scope) })
    }
    for (const alert of alerts) {
      if (budget) budget.ask(inhibition.id, () => look(alert))
      else look(alert)
    }
  }
  return { said, asked }
}

const longestKey = 500

/** The values of some expressions as one text; what an event does not have equals what another does not have. */
function keyOf(expressions: readonly Expression[], scope: Scope): string {
  const values = expressions.map((expression) => {
    const said = expression.evaluate(scope)
    return said.ok ? (said.value ?? null) : null
  })
  const key = JSON.stringify(values)
  // It stands in an index, whose entries Postgres limits.
  return key.length <= longestKey ? key : `sha256:${createHash('sha256').update(key).digest('base64url')}`
}

/** What is known of an alert, from the database or from the events at hand. */
export interface KnownAlert {
  inhibitionId: string
  key: string
  alert: string
  marks: readonly Mark[]
  expiresAt?: Date
}

/**
 * Whether an alert was open when this event was accepted: the last mark up to then says so. Before all that is known, it was
 * open if the first that is known says that it is over, though it had been opened.
 */
export function isOpenAt(marks: readonly Mark[], id: string): boolean {
  const inOrder = marks.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  const last = inOrder.findLast((mark) => mark.id <= id)
  if (last) return last.opens
  return inOrder[0]?.opens === false && inOrder.some(({ opens }) => opens)
}

/** Which of these events are held back, by their ids. `at`: as it was when each was accepted, or as it is by now. */
export function inhibited(
  asked: readonly Asked[],
  known: readonly KnownAlert[],
  now: Date,
  at: 'accepted' | 'now' = 'accepted',
): Map<string, HeldBack> {
  const byKey = Map.groupBy(known, ({ inhibitionId, key }) => `${inhibitionId} ${key}`)
  const held = new Map<string, HeldBack>()
  for (const { id, inhibition, key } of asked) {
    if (held.has(id)) continue
    const alerts = Map.groupBy(byKey.get(`${inhibition.id} ${key}`) ?? [], ({ alert }) => alert)
    const open = [...alerts.values()].find((versions) => {
      if (versions.every(({ expiresAt }) => expiresAt && expiresAt <= now)) return false
      return isOpenAt(
        versions.flatMap(({ marks }) => marks),
        at === 'now' ? lastId : id,
      )
    })
    if (!open) continue
    const until = open.some(({ expiresAt }) => !expiresAt)
      ? undefined
      : new Date(Math.max(...open.map(({ expiresAt }) => expiresAt!.getTime())))
    held.set(id, { reason: 'inhibited', id: inhibition.id, comment: inhibition.name, ...(until ? { until } : {}) })
  }
  return held
}

const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff'
