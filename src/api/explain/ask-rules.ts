import { compileRule } from '../../domain/compile-rule.ts'
import type { Named, RuleAnswer, RuleReason } from '../../domain/explain/story.ts'
import type { Scope } from '../../domain/expressions/scope.ts'
import { priorityName } from '../../domain/priority.ts'
import { recipientIdOf } from '../../domain/recipient.ts'
import type { RecipientSelector, Rule } from '../../domain/rule.ts'
import { coversEvent } from '../../domain/rule-index.ts'
import { askRule, domainOf, type EventIntent, holdsAt, scopeOfIntent } from '../../pipeline/match/match-events.ts'
import { createBreath } from '../breathe.ts'

/** For whom it is asked: ids that may stand for the recipient, and roles and groups as they are now. */
export interface AskedRecipient {
  ids: readonly string[]
  roles: readonly string[]
  groups: readonly string[]
}

export interface RulesToAsk {
  tenantId: string
  intent: EventIntent
  /** As they stood then. */
  rules: readonly Rule[]
  /** Versions of which there are notifications: they did match, whatever they say to an expression that asks for the time. */
  took: ReadonlySet<string>
  /** The event was found to match no rule. */
  isUnmatched: boolean
  recipient?: AskedRecipient
  /** When the rules were asked. */
  now: Date
}

type Audience = Required<Omit<RecipientSelector, 'expression' | 'type'>>

export const versionKey = ({ id, version }: { id: string; version: number }): string => `${id}@${version}`

/** Asks rules of an event once more, with nothing changed and nothing noted, and says of each why it did or did not take part. */
export async function askRules(asked: RulesToAsk): Promise<RuleAnswer[]> {
  let scope: Scope | undefined
  const scopeOnce = () => (scope ??= scopeOfIntent(asked.intent, asked.now))
  const breathe = createBreath()
  const answers: RuleAnswer[] = []
  for (const rule of asked.rules) {
    answers.push(answerOf(rule, asked, scopeOnce))
    await breathe() // to compile one takes about a millisecond, and there may be thousands
  }
  return answers
}

function answerOf(rule: Rule, asked: RulesToAsk, scope: () => Scope): RuleAnswer {
  const { intent, took, isUnmatched, tenantId, recipient } = asked
  const head = { id: rule.id, name: rule.name, version: rule.version }
  const no = (reason: RuleReason, inputs: Record<string, unknown>): RuleAnswer => {
    return { rule: head, verdict: 'no_match', reason, inputs }
  }
  const before = took.has(versionKey(rule)) ? undefined : outside(rule, intent)
  if (before) return no(...before)

  const said = askRule(compileRule(rule), intent, scope())
  const pattern = rule.eventPattern === '' ? {} : { event_pattern: rule.eventPattern }
  if (said && 'want' in said) {
    // It was saved within the moment for which a process may keep the settings it knows.
    if (isUnmatched) return no('not_loaded_yet', pattern)
    const { audience, want } = said
    return {
      rule: head,
      verdict: 'match',
      inputs: { ...pattern, priority: priorityName(want.priority), category: want.category, channels: want.channels },
      audience: whom(rule.selector, audience),
      names: recipient && namesOf(tenantId, rule.selector, audience, recipient),
    }
  }
  if (took.has(versionKey(rule))) return { rule: head, verdict: 'match', inputs: pattern, audience: {} }
  if (!said) return no('pattern_false', pattern)
  const { part, code, message } = said
  return { rule: head, verdict: 'error', reason: 'expression_failed', inputs: { part, code, message } }
}

/** Names of roles and groups, and how many there are of the others. */
function whom(selector: RecipientSelector, { userIds, roles, groups, addresses }: Audience): Record<string, unknown> {
  const named = new Set(selector.userIds ?? [])
  return {
    ...(roles.length > 0 && { roles }),
    ...(groups.length > 0 && { groups }),
    ...(named.size > 0 && { users: named.size }),
    ...(addresses.length > 0 && { addresses: addresses.length }),
    ...(selector.expression !== undefined && { by_expression: userIds.filter((id) => !named.has(id)).length }),
  }
}

/** Why a rule was not asked at all. */
function outside(rule: Rule, intent: EventIntent): [RuleReason, Record<string, unknown>] | undefined {
  const { eventTypes = [], domains = [], validFrom, validUntil } = rule
  const domain = domainOf(intent)
  if (!rule.enabled) return ['switched_off', {}]
  if (eventTypes.length > 0 && !eventTypes.some((pattern) => coversEvent(pattern, intent.type))) {
    return ['other_type', { event_type: intent.type, event_types: eventTypes }]
  }
  if (domains.length > 0 && !domains.includes(domain)) return ['other_domain', { domain, domains }]
  if (holdsAt(rule, intent.acceptedAt)) return undefined
  const from = validFrom?.toISOString()
  return [
    'not_valid_then',
    { accepted_at: intent.acceptedAt.toISOString(), valid_from: from, valid_until: validUntil?.toISOString() },
  ]
}

function namesOf(
  tenantId: string,
  selector: RecipientSelector,
  audience: Audience,
  { ids, roles, groups }: AskedRecipient,
): Named {
  const isHim = (id: string) => ids.includes(id)
  const ofRoles = audience.roles.filter((role) => roles.includes(role))
  const ofGroups = audience.groups.filter((group) => groups.includes(group))
  const isNamed = selector.userIds?.some(isHim) ?? false
  const inline = audience.addresses.find((ref) => isHim(recipientIdOf(tenantId, ref)))
  const by: Named['by'] = [
    ...(isNamed ? (['user'] as const) : []),
    ...(!isNamed && audience.userIds.some(isHim) ? (['expression'] as const) : []),
    ...(ofRoles.length > 0 ? (['role'] as const) : []),
    ...(ofGroups.length > 0 ? (['group'] as const) : []),
    ...(inline ? ([inline.type === 'system' ? 'target' : 'address'] as const) : []),
  ]
  return { by, ...(ofRoles.length > 0 && { roles: ofRoles }), ...(ofGroups.length > 0 && { groups: ofGroups }) }
}
