import type { CompiledRule, RulePart } from '../../domain/compile-rule.ts'
import { type ChunkBudget, createChunkBudget } from '../../domain/expressions/chunk-budget.ts'
import type { Evaluated } from '../../domain/expressions/compile-expression.ts'
import { type Scope, scopeOf, withRecipient } from '../../domain/expressions/scope.ts'
import type { IntentPayload } from '../../domain/intent.ts'
import type { Person } from '../../domain/person.ts'
import type { RecipientSelector, Rule } from '../../domain/rule.ts'
import type { CompiledRules } from '../../domain/rule-index.ts'
import { giveVars } from '../../domain/rule-vars.ts'
import type { Want } from '../../domain/want.ts'
import { nextTurn } from '../../platform/next-turn.ts'
import { foldKey, idsOf, shortKey } from './rule-values.ts'

/** What matching reads of a business event. */
export interface EventIntent {
  id: string
  type: string
  priority: number
  category?: string
  eventId?: string
  correlationId?: string
  acceptedAt: Date
  payload: IntentPayload
}

/** An expression of a rule that failed on an event: the rule is left out for that event. */
export interface RuleFault {
  ruleId: string
  version: number
  intentId: string
  part: RulePart
  /** A closed set: the metric's label. */
  code: string
  /** Names no value. */
  message: string
}

/** What of a want is the same for all whom a rule notifies of an event. */
export type RuleWant = Pick<
  Want,
  'type' | 'priority' | 'category' | 'channels' | 'fallbackChannels' | 'schedule' | 'fold' | 'rule' | 'acceptedAt'
>

/** A rule that wants an event. */
export interface RuleMatch<Intent extends EventIntent = EventIntent> {
  intent: Intent
  compiled: CompiledRule
  /** Whom it notifies; what the rule's expression gave is among `userIds`. */
  audience: Required<Omit<RecipientSelector, 'expression' | 'type'>>
  want: RuleWant
  /** To which group of alerts the event belongs, and whether it says that what they tell of is over. */
  group?: { key: string; resolved: boolean; alert?: string; policy: NonNullable<Rule['group']> }
  /** Name of the template; absent: `subject`, `body` and `bodyHtml` of the variables are the content. */
  template?: string
  /** The template's variables for one recipient; a fault leaves that recipient out. */
  varsFor(person: Pick<Person, RecipientFields>): MatchVars
}

type RecipientFields = 'id' | 'name' | 'locale' | 'timezone' | 'roles' | 'groups' | 'attributes'

export type MatchVars = { ok: true; vars: Record<string, unknown> } | { ok: false; fault: RuleFault }

/** How the rules' expressions did on a chunk; see createRuleHealth. */
export interface RuleHealthNotes {
  faults: RuleFault[]
  /** Faults of a rule since it last did well in this chunk. */
  streaks: Map<string, number>
  /** Rules whose pattern gave an answer. */
  answered: Set<string>
  /** Rules that matched with all that they say. A fault behind the pattern is forgotten only by that. */
  whole: Set<string>
}

export interface Matched<Intent extends EventIntent> {
  matched: RuleMatch<Intent>[]
  /** Events that no rule wants. */
  unmatched: Intent[]
  health: RuleHealthNotes
}

/**
 * Asks the rules of events, each in the rules' order. What a rule is asked of, and when: it is on, the event was accepted in
 * the time for which it holds, types and domains fit, and its pattern says yes. Never throws for what an expression does.
 */
export function matchEvents<Intent extends EventIntent>(
  intents: readonly Intent[],
  rules: CompiledRules,
  now: Date,
): Matched<Intent> {
  const matching = match(intents, rules, now, createChunkBudget())
  for (;;) {
    const { done, value } = matching.next()
    if (done) return value
  }
}

/** The same where other tenants wait for the process: each time that rules have had it for a while, the others have their turn. */
export async function matchEventsInTurns<Intent extends EventIntent>(
  intents: readonly Intent[],
  rules: CompiledRules,
  now: Date,
  budget: ChunkBudget = createChunkBudget(),
  turn: () => Promise<void> = nextTurn,
): Promise<Matched<Intent>> {
  const matching = match(intents, rules, now, budget)
  for (;;) {
    const { done, value } = matching.next()
    if (done) return value
    await turn()
  }
}

/** Yields where a turn is over. */
function* match<Intent extends EventIntent>(
  intents: readonly Intent[],
  rules: CompiledRules,
  now: Date,
  budget: ChunkBudget,
): Generator<undefined, Matched<Intent>> {
  const matched: RuleMatch<Intent>[] = []
  const unmatched: Intent[] = []
  const health: RuleHealthNotes = { faults: [], streaks: new Map(), answered: new Set(), whole: new Set() }
  for (const intent of intents) {
    const before = matched.length
    let scope: Scope | undefined
    for (const compiled of rules.candidates({ type: intent.type, domain: domainOf(intent) })) {
      if (!holdsAt(compiled.rule, intent.acceptedAt)) continue
      scope ??= scopeOfIntent(intent, now)
      const asked = askRule(compiled, intent, scope, budget)
      noteHealth(health, compiled.rule.id, asked)
      if (asked !== undefined && 'want' in asked) matched.push(asked)
      if (budget.isTurnOver()) yield
    }
    if (matched.length === before) unmatched.push(intent)
  }
  return { matched, unmatched, health }
}

/**
 * Asks one rule of one event: a match, a fault, or undefined where it does not want it. What an expression throws is a fault of
 * ours, and no more fatal to the chunk than a fault of the rule.
 */
export function askRule<Intent extends EventIntent>(
  compiled: CompiledRule,
  intent: Intent,
  scope: Scope,
  budget: ChunkBudget = createChunkBudget(),
): RuleMatch<Intent> | RuleFault | undefined {
  try {
    return budget.ask(compiled.rule.id, () => ask(compiled, intent, scope, budget))
  } catch (error) {
    const { id: ruleId, version } = compiled.rule
    const message = `it ended in a ${error instanceof Error ? error.name : 'fault'}`
    return { ruleId, version, intentId: intent.id, part: 'eventPattern', code: 'failed', message }
  }
}

function ask<Intent extends EventIntent>(
  compiled: CompiledRule,
  intent: Intent,
  scope: Scope,
  budget: ChunkBudget,
): RuleMatch<Intent> | RuleFault | undefined {
  const wanted = compiled.condition?.evaluate(scope)
  if (wanted?.ok === true && wanted.value === false) return undefined // as almost every answer is
  const { rule, recipients, batchKey, vars, broken } = compiled
  const fault = (part: RulePart, { code, message }: { code: string; message: string }): RuleFault => {
    return { ruleId: rule.id, version: rule.version, intentId: intent.id, part, code, message }
  }
  const [first] = broken
  if (first) return fault(first.part, { code: 'invalid', message: first.message })
  if (wanted?.ok === false) return fault('eventPattern', wanted)

  const named = recipients ? idsOf(recipients.evaluate(scope)) : nobody
  if (!named.ok) return fault('recipientSelector.expression', named)
  const key = batchKey?.evaluate(scope)
  if (key && !key.ok) return fault('batchKey', key)
  const group = groupOf(compiled, scope)
  if (group && 'code' in group) return fault(group.part, group)
  const shared = giveVars(vars.ofEvent, scope)
  if (!shared.ok) return fault(shared.fault.part, shared.fault)

  return {
    intent,
    compiled,
    audience: {
      userIds:
        named.ids.length > 0
          ? [...new Set([...(rule.selector.userIds ?? []), ...named.ids])]
          : (rule.selector.userIds ?? none),
      roles: rule.selector.roles ?? none,
      groups: rule.selector.groups ?? none,
      addresses: rule.selector.addresses ?? none,
    },
    want: {
      type: intent.type,
      priority: rule.priority,
      category: rule.category ?? intent.category,
      channels: rule.channels,
      fallbackChannels: rule.fallbackChannels,
      schedule: rule.schedule,
      fold: rule.digest && { key: foldKey(rule.id, key?.value), policy: rule.digest },
      rule: { id: rule.id, name: rule.name, version: rule.version },
      acceptedAt: intent.acceptedAt,
    },
    group,
    template: rule.template,
    varsFor(person) {
      if (vars.ofRecipient.length === 0) return { ok: true, vars: shared.values }
      const give = () => giveVars(vars.ofRecipient, withRecipient(scope, person))
      const own = budget.ask(`${rule.id} for recipients`, give)
      return own.ok
        ? { ok: true, vars: { ...shared.values, ...own.values } }
        : { ok: false, fault: fault(own.fault.part, own.fault) }
    },
  }
}

const none: readonly never[] = []
const nobody: { ok: true; ids: readonly string[] } = { ok: true, ids: none }

/** Whether a rule is in force for what was accepted at a moment. */
export function holdsAt({ validFrom, validUntil }: Pick<Rule, 'validFrom' | 'validUntil'>, at: Date): boolean {
  return (validFrom === undefined || validFrom <= at) && (validUntil === undefined || at < validUntil)
}

export const domainOf = ({ type, payload }: Pick<EventIntent, 'type' | 'payload'>): string =>
  payload.event?.domain ?? type.split('.', 1)[0]!

/** The variables of the expressions, made once for an event and shared by all rules. */
export function scopeOfIntent(intent: EventIntent, now: Date): Scope {
  const { event, data } = intent.payload
  return scopeOf({
    event: {
      id: intent.eventId ?? intent.id,
      type: intent.type,
      domain: domainOf(intent),
      source: event?.source,
      occurredAt: event?.occurredAt === undefined ? intent.acceptedAt : new Date(event.occurredAt),
      acceptedAt: intent.acceptedAt,
      category: intent.category,
      priority: intent.priority,
      correlationId: intent.correlationId,
      data,
    },
    now,
  })
}

/**
 * The group of an alert. What asks for data that an event does not have is null there, or does not say that it is over, as
 * on Alertmanager: an alert that lacks a label must not be lost.
 */
function groupOf(
  { rule, group }: CompiledRule,
  scope: Scope,
): RuleMatch['group'] | { part: RulePart; code: string; message: string } {
  if (!group || !rule.group) return undefined
  const values: unknown[] = []
  for (const { part, expression } of group.by) {
    const evaluated = orAbsent(expression.evaluate(scope), null)
    if (!evaluated.ok) return { part, ...evaluated }
    values.push(evaluated.value)
  }
  const resolved = orAbsent(group.resolved?.evaluate(scope) ?? no, false)
  if (!resolved.ok) return { part: 'group.resolved', ...resolved }
  const alert = group.alert && orAbsent(group.alert.evaluate(scope), null)
  if (alert && !alert.ok) return { part: 'group.alert', ...alert }
  return {
    key: foldKey(rule.id, values),
    resolved: resolved.value === true,
    ...(alert && alert.value !== null && { alert: shortKey(alert.value) }),
    policy: rule.group,
  }
}

const no = { ok: true, value: false } as const
const orAbsent = (evaluated: Evaluated, absent: null | false): Evaluated =>
  !evaluated.ok && evaluated.code === 'no_such_field' ? { ok: true, value: absent } : evaluated

function noteHealth(health: RuleHealthNotes, ruleId: string, asked: RuleMatch | RuleFault | undefined): void {
  if (asked !== undefined && 'code' in asked) {
    health.faults.push(asked)
    health.streaks.set(ruleId, (health.streaks.get(ruleId) ?? 0) + 1)
    return
  }
  health.answered.add(ruleId)
  if (asked) health.whole.add(ruleId)
  if (health.streaks.size === 0 || !health.streaks.has(ruleId)) return
  const last = health.faults.findLast((fault) => fault.ruleId === ruleId)
  if (asked || last?.part === 'eventPattern') health.streaks.delete(ruleId)
}
