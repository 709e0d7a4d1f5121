import type { CompiledRule } from '../../domain/compile-rule.ts'
import { coversEvent } from '../../domain/rule-index.ts'
import {
  askRule,
  domainOf,
  type EventIntent,
  holdsAt,
  type RuleFault,
  type RuleMatch,
  scopeOfIntent,
} from './match-events.ts'

/** What became of an event at one rule: the first thing that kept it out, or a match. */
export type RuleAnswer =
  | { verdict: 'matched'; match: RuleMatch; inputs: Record<string, unknown> }
  | { verdict: 'fault'; fault: RuleFault; inputs: Record<string, unknown> }
  | {
      verdict: 'switched_off' | 'not_in_force' | 'other_domain' | 'other_type' | 'pattern_false'
      inputs: Record<string, unknown>
    }

/**
 * Asks one rule of one event, and tells what was compared: for explain, where also the rules that did not match are told.
 * The same verdict as matchEvents has. Inputs name what the rule says, and of the event its type, domain and moment.
 */
export function explainRule(compiled: CompiledRule, intent: EventIntent, now: Date): RuleAnswer {
  const { enabled, validFrom, validUntil, domains, eventTypes, eventPattern } = compiled.rule
  const domain = domainOf(intent)
  if (!enabled) return { verdict: 'switched_off', inputs: {} }
  if (!holdsAt(compiled.rule, intent.acceptedAt)) {
    const inputs = { acceptedAt: intent.acceptedAt.toISOString(), ...isoOf({ validFrom, validUntil }) }
    return { verdict: 'not_in_force', inputs }
  }
  if (domains && !domains.includes(domain)) return { verdict: 'other_domain', inputs: { domain, domains } }
  if (eventTypes && !eventTypes.some((pattern) => coversEvent(pattern, intent.type))) {
    return { verdict: 'other_type', inputs: { type: intent.type, eventTypes } }
  }
  const inputs = { type: intent.type, domain, ...(eventPattern === '' ? {} : { eventPattern }) }
  const asked = askRule(compiled, intent, scopeOfIntent(intent, now))
  if (asked === undefined) return { verdict: 'pattern_false', inputs }
  return 'code' in asked ? { verdict: 'fault', fault: asked, inputs } : { verdict: 'matched', match: asked, inputs }
}

const isoOf = (moments: Record<string, Date | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(moments).flatMap(([name, at]) => (at ? [[name, at.toISOString()]] : [])))
