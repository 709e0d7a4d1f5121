import { compileExpression, type Expression, usesRecipient } from './expressions/compile-expression.ts'
import type { Rule } from './rule.ts'
import { type Narrowing, narrowingOf } from './rule-narrowing.ts'
import { compileVars, type RuleVars } from './rule-vars.ts'

/** Where in a rule an expression stands; the name of the field in GraphQL. */
export type RulePart =
  | 'eventPattern'
  | 'recipientSelector.expression'
  | 'batchKey'
  | GroupPart
  | `templateVars.${string}`
type GroupPart = `group.by.${number}` | 'group.resolved' | 'group.alert'

/** Why an expression of a rule is none. */
export interface RulePartFault {
  part: RulePart
  message: string
  line: number
  column: number
}

/** A version of a rule, ready to be asked of events. */
export interface CompiledRule {
  rule: Rule
  /** Absent: every event of its types and domains. */
  condition?: Expression
  /** What the condition cannot be true without. */
  narrowing: Narrowing
  /** Gives external ids. */
  recipients?: Expression
  batchKey?: Expression
  group?: { by: readonly { part: RulePart; expression: Expression }[]; resolved?: Expression; alert?: Expression }
  vars: RuleVars
  /** Expressions that a release of ours no longer reads; such a rule fails on every event. */
  broken: readonly RulePartFault[]
}

/** Compiles a rule; `broken` is empty where every expression of it is one. */
export function compileRule(rule: Rule): CompiledRule {
  const broken: RulePartFault[] = []
  const read = (part: RulePart, text: string | undefined, kind: 'condition' | 'value', ofRecipient = false) => {
    if (text === undefined || text.trim() === '') return undefined
    const variables = ofRecipient ? (['event', 'recipient', 'now'] as const) : (['event', 'now'] as const)
    const compiled = compileExpression(text, { kind, variables })
    if (compiled.ok) return compiled.expression
    const { message, line, column } = compiled
    broken.push({ part, message, line, column })
    return undefined
  }
  const group = rule.group && {
    by: rule.group.by.flatMap((text, place) => {
      const part: RulePart = `group.by.${place}`
      const expression = read(part, text, 'value')
      return expression ? [{ part, expression }] : []
    }),
    resolved: read('group.resolved', rule.group.resolved, 'condition'),
    alert: read('group.alert', rule.group.alert, 'value'),
  }
  return {
    rule,
    group,
    condition: read('eventPattern', rule.eventPattern, 'condition'),
    narrowing: narrowingOf(rule.eventPattern),
    recipients: read('recipientSelector.expression', rule.selector.expression, 'value'),
    batchKey: read('batchKey', rule.batchKey, 'value'),
    vars: compileVars(rule.templateVars ?? {}, (path, text) => {
      const expression = read(`templateVars.${path}`, text, 'value', true)
      return expression && { expression, ofRecipient: usesRecipient(expression) }
    }),
    broken,
  }
}
