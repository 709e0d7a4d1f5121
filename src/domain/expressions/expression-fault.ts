import type { CelError } from '@bufbuild/cel'
import { isExhausted } from './meter.ts'

/** Why an expression gave nothing. Closed: the label of the metric, and what is kept with the rule. */
export const evaluationFaults = [
  'no_such_field',
  'type',
  'arithmetic',
  'conversion',
  'pattern',
  'budget',
  'not_a_bool',
  'failed',
] as const

export type EvaluationFault = (typeof evaluationFaults)[number]

/** In words, and never with a value: what an event holds does not reach a log or an error. */
export const faultMessages: Readonly<Record<EvaluationFault, string>> = {
  no_such_field: 'there is no such field or element; has(…) asks whether there is',
  type: 'a value has a type that the operation does not take',
  arithmetic: 'a number is out of range, or divided by zero',
  conversion: 'a value cannot be converted',
  pattern: 'a regular expression is not valid or too large',
  budget: 'the expression costs too much',
  not_a_bool: 'a condition must give true or false',
  failed: 'the expression could not be evaluated',
}

/** Thrown by our own functions inside an evaluation. */
export class ExpressionError extends Error {
  readonly code: EvaluationFault

  constructor(code: EvaluationFault) {
    super(faultMessages[code])
    this.code = code
  }
}

const known: [pattern: RegExp, code: EvaluationFault][] = [
  [/^(field not found|unresolved attribute|index .* out of bounds)/, 'no_such_field'],
  [/no matching overload|type mismatch|unsupported key type|unbound function|contains non-string/, 'type'],
  [/overflow|divide by zero|modulus by zero|out of range|out of bounds|start > end/, 'arithmetic'],
  [/^(Unable to convert|Failed to (parse|decode)|Cannot convert)/, 'conversion'],
  [/call stack/, 'budget'],
]

/** The kind of an error that the library gave, whose own words may hold values. */
export function faultOf(error: CelError): EvaluationFault {
  if (isExhausted()) return 'budget'
  if (error.cause instanceof ExpressionError) return error.cause.code
  return known.find(([pattern]) => pattern.test(error.message))?.[1] ?? 'failed'
}
