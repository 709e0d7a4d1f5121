import type { CompiledRule } from '../../domain/compile-rule.ts'
import { foldInGroup } from '../../domain/digest.ts'
import { type ChunkBudget, createChunkBudget } from '../../domain/expressions/chunk-budget.ts'
import type { CompiledRules } from '../../domain/rule-index.ts'
import type { Wanted } from '../../domain/want.ts'
import type { Queryable } from '../../platform/db.ts'
import { run, statement } from '../../platform/db.ts'
import {
  askRule,
  type EventIntent,
  matchEventsInTurns,
  type RuleFault,
  type RuleHealthNotes,
  type RuleMatch,
  scopeOfIntent,
} from './match-events.ts'

const markSql = statement('match/mark_intents')

/** What matching reads of an intent. */
export type MatchIntent = EventIntent & { kind: 'direct' | 'event' }

export interface MatchedIntents<I extends MatchIntent> {
  /** Those of an intent stand together. */
  wanted: Wanted<I>[]
  /** Business events that no rule wants. */
  unmatched: I[]
  /** Whole once the variables of all recipients were told. */
  health: RuleHealthNotes
}

/** What the intents want: a direct request is its own rule, a business event asks the tenant's. */
export async function matchIntents<I extends MatchIntent>(
  intents: readonly I[],
  rules: CompiledRules,
  now: Date,
  budget: ChunkBudget = createChunkBudget(),
): Promise<MatchedIntents<I>> {
  const events = intents.filter(({ kind }) => kind === 'event')
  const { matched, unmatched, health } = await matchEventsInTurns(events, rules, now, budget)
  const direct = events.length === intents.length ? [] : intents.filter(({ kind }) => kind === 'direct')
  const byRules = matched.map((match) => wantedByRule(match, (fault) => health.faults.push(fault)))
  return { wanted: [...direct.map(wantedByRequest), ...byRules], unmatched, health }
}

/** What these rules want of an event; one whose expressions fail wants nothing. */
export function wantsOfRules<I extends MatchIntent>(
  intent: I,
  rules: readonly CompiledRule[],
  now: Date,
  budget: ChunkBudget = createChunkBudget(),
): Wanted<I>[] {
  const scope = scopeOfIntent(intent, now)
  return rules.flatMap((compiled) => {
    const asked = askRule(compiled, intent, scope, budget)
    return asked !== undefined && 'want' in asked ? [wantedByRule(asked, () => {})] : []
  })
}

function wantedByRequest<I extends MatchIntent>(intent: I): Wanted<I> {
  const { recipients = [], channels, fallbackChannels, template, schedule, digest } = intent.payload
  const { priority, category } = intent
  const isDigest = digest !== undefined || undefined
  return { intent, refs: recipients, priority, category, channels, fallbackChannels, template, schedule, isDigest }
}

/** `onFault` hears of the first recipient of whom a variable could not be told. */
function wantedByRule<I extends MatchIntent>(match: RuleMatch<I>, onFault: (fault: RuleFault) => void): Wanted<I> {
  let isFaulty = false
  const { intent, audience, want, group, template, varsFor } = match
  const { addresses, ...named } = audience
  const { priority, category, channels, fallbackChannels, schedule, rule } = want
  const fold = group
    ? foldInGroup(group.key, group.policy, { resolved: group.resolved, alert: group.alert }, template)
    : want.fold
  const isOfRecords = named.userIds.length > 0 || named.roles.length > 0 || named.groups.length > 0
  return {
    intent,
    refs: addresses,
    audience: isOfRecords ? named : undefined,
    ...{ priority, category, channels, fallbackChannels, schedule, fold, rule, template },
    varsFor(person) {
      const told = varsFor(person)
      if (told.ok) return told.vars
      if (!isFaulty) onFault(told.fault)
      isFaulty = true
      return undefined
    },
  }
}

/** Why an intent leads to no notification. */
export type IntentEnd = 'unmatched' | 'no_recipients' | 'failed'

/** Marks intents that lead to no notification, once, with their status events. */
export async function markIntents(
  on: Queryable,
  tenantId: string,
  end: IntentEnd,
  intents: readonly { id: string; data: Record<string, unknown> }[],
  ids: { batchId(): string },
  now: Date,
): Promise<void> {
  if (intents.length === 0) return
  const events = intents.map(({ id, data }) => ({
    subject_id: id,
    type: `notification.intent.${end === 'failed' ? end : 'unmatched'}`,
    data,
  }))
  const all = intents.map(({ id }) => id).sort()
  await run(on, markSql, [tenantId, JSON.stringify(events), all[0], all.at(-1), now, all, end, ids.batchId()])
}
