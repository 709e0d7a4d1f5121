import type { Evaluated, Expression } from './expressions/compile-expression.ts'
import type { Scope } from './expressions/scope.ts'

/*
 * Template variables are JSON in which `{"cel": "…"}` stands for what the expression gives. Those that do not look at the
 * recipient are the same for all whom a rule notifies of an event, and are evaluated once.
 */

export interface VarExpression {
  expression: Expression
  ofRecipient: boolean
}

/** One variable: a value, or an expression somewhere in it. */
interface Variable {
  name: string
  ofRecipient: boolean
  give(scope: Scope): unknown
}

export interface RuleVars {
  ofEvent: readonly Variable[]
  ofRecipient: readonly Variable[]
}

/** Why a variable could not be told. */
export interface VarFault {
  part: `templateVars.${string}`
  code: string
  message: string
}

export type VarValues = { ok: true; values: Record<string, unknown> } | { ok: false; fault: VarFault }

class VarFailure extends Error {
  readonly fault: VarFault

  constructor(fault: VarFault) {
    super(fault.message)
    this.fault = fault
  }
}

const celOf = (value: object): string | undefined => {
  const { cel, ...rest } = value as { cel?: unknown }
  return typeof cel === 'string' && Object.keys(rest).length === 0 ? cel : undefined
}

type Maker = (scope: Scope) => unknown

/** Compiles variables; `read` compiles one expression at a path, and gives undefined where it is none. */
export function compileVars(
  said: Readonly<Record<string, unknown>>,
  read: (path: string, text: string) => VarExpression | undefined,
): RuleVars {
  const ofEvent: Variable[] = []
  const ofRecipient: Variable[] = []
  for (const [name, value] of Object.entries(said)) {
    const uses = { recipient: false }
    const give = makerOf(name, value, read, uses) ?? (() => value)
    const into = uses.recipient ? ofRecipient : ofEvent
    into.push({ name, ofRecipient: uses.recipient, give })
  }
  return { ofEvent, ofRecipient }
}

/** undefined: there is no expression in it. */
function makerOf(
  path: string,
  value: unknown,
  read: (path: string, text: string) => VarExpression | undefined,
  uses: { recipient: boolean },
): Maker | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const text = celOf(value)
  if (text !== undefined) {
    const found = read(path, text)
    if (!found) return () => null // the rule is broken, and asked for nothing
    if (found.ofRecipient) uses.recipient = true
    return (scope) => {
      const evaluated = found.expression.evaluate(scope)
      const given = evaluated.ok ? storable(evaluated.value) : evaluated
      if (given.ok) return given.value
      const { code, message } = given
      throw new VarFailure({ part: `templateVars.${path}`, code, message })
    }
  }
  const makers = Object.entries(value).map(([key, member]): [string, unknown, Maker | undefined] => [
    key,
    member,
    makerOf(`${path}.${key}`, member, read, uses),
  ])
  if (makers.every(([, , maker]) => !maker)) return undefined
  const isList = Array.isArray(value)
  return (scope) => {
    const made = makers.map(([key, member, maker]): [string, unknown] => [key, maker ? maker(scope) : member])
    return isList ? made.map(([, member]) => member) : Object.fromEntries(made)
  }
}

const maxTextLength = 65_536
const unfit = /\0|\p{Cs}/u

/** What an expression made can hold a NUL or half a character, which Postgres does not store, and be long. */
function storable(value: unknown): Evaluated {
  let length = 0
  let isFit = true
  const look = (one: unknown): void => {
    if (typeof one === 'string') {
      length += one.length
      isFit &&= !unfit.test(one)
    } else if (Array.isArray(one)) one.forEach(look)
    else if (typeof one === 'object' && one !== null) Object.entries(one).forEach(look)
  }
  look(value)
  if (!isFit) return { ok: false, code: 'type', message: 'it gave text that cannot be stored' }
  if (length <= maxTextLength) return { ok: true, value }
  return { ok: false, code: 'budget', message: `it gave more than ${maxTextLength} characters` }
}

/** The values of some variables; the first that fails speaks for all. */
export function giveVars(variables: readonly Variable[], scope: Scope): VarValues {
  try {
    return { ok: true, values: Object.fromEntries(variables.map(({ name, give }) => [name, give(scope)])) }
  } catch (error) {
    if (error instanceof VarFailure) return { ok: false, fault: error.fault }
    throw error
  }
}
