import { type CelEnv, type CelInput, type CelResult, isCelError, plan } from '@bufbuild/cel'
import { checkTypes, type Declarations } from './check-types.ts'
import { constants, variables as declared, type Variable } from './declarations.ts'
import { createEnvironment } from './environment.ts'
import { type EvaluationFault, faultMessages, faultOf } from './expression-fault.ts'
import { expressionLimits } from './expression-limits.ts'
import { jsonFromCel } from './json-values.ts'
import { isExhausted, isSpent, settleLast, startMeter } from './meter.ts'
import { type Refused, readExpression } from './read-expression.ts'
import type { Scope } from './scope.ts'
import { placeOf } from './source-text.ts'
import { type StaticType, typeName, types } from './static-types.ts'
import { countNodes, meterComprehensions, namesIn, type Parsed, TypeFault } from './syntax-tree.ts'

export interface CompileOptions {
  /** A condition gives true or false; a value gives anything that JSON can say. */
  kind: 'condition' | 'value'
  /** The variables that it may name; by default all. */
  variables?: readonly Variable[]
}

export type Compiled = { ok: true; expression: Expression } | Refused

/** What an evaluation gave, as JSON. `message` names the fault and the column, and never a value. */
export type Evaluated = { ok: true; value: unknown } | { ok: false; code: EvaluationFault; message: string }

/** Compiled once, evaluated often. */
export interface Expression {
  readonly text: string
  readonly kind: CompileOptions['kind']
  /** The names that it mentions. */
  readonly names: ReadonlySet<string>
  evaluate(scope: Scope): Evaluated
}

const environment = createEnvironment()

/** Reads and checks an expression: when one is saved, to tell its author, and once when it is loaded. */
export function compileExpression(text: string, options: CompileOptions): Compiled {
  const prepared = prepareExpression(text, environment, declarationsOf(options))
  if (!prepared.ok) return prepared
  const { parsed, type } = prepared
  if (options.kind === 'condition' && type.kind !== 'bool' && type.kind !== 'dyn') {
    const message = `a condition must give true or false, and this gives ${typeName(type)}`
    return { ok: false, message, ...placeOf(text, parsed, parsed.expr.id) }
  }
  return { ok: true, expression: expressionOf(text, options.kind, prepared) }
}

export interface Prepared {
  parsed: Parsed
  type: StaticType
  run(bindings: Record<string, CelInput>): CelResult
}

/**
 * All of it but what is ours to declare: the conformance suite comes in here, with names of its own. Without names, types are
 * not checked.
 */
export function prepareExpression(
  text: string,
  env: CelEnv,
  named?: Declarations,
): ({ ok: true } & Prepared) | Refused {
  const read = readExpression(text)
  if (!read.ok) return read
  const { parsed } = read
  try {
    const type = named ? checkTypes(parsed.expr, env, named) : types.dyn
    meterComprehensions(parsed.expr)
    const evaluate = plan(env, parsed) as Prepared['run']
    const run: Prepared['run'] = (bindings) => {
      startMeter(expressionLimits.cost)
      // CEL's errors are values, made by the thousand where data lacks a field; their stacks are never looked at.
      const stacks = Error.stackTraceLimit
      Error.stackTraceLimit = 0
      try {
        return evaluate(bindings)
      } finally {
        Error.stackTraceLimit = stacks
      }
    }
    return { ok: true, parsed, type, run }
  } catch (error) {
    if (!(error instanceof TypeFault)) throw error
    return { ok: false, message: error.message, ...placeOf(text, parsed, error.nodeId) }
  }
}

/** Whether it must be evaluated for each recipient. */
export function usesRecipient(expression: Expression): boolean {
  return expression.names.has('recipient')
}

function declarationsOf(options: CompileOptions): Record<string, StaticType> {
  const named: Record<string, StaticType> = Object.create(null)
  for (const name of Object.keys(constants)) named[name] = types.int
  for (const name of options.variables ?? (Object.keys(declared) as Variable[])) named[name] = declared[name]
  return named
}

function expressionOf(text: string, kind: CompileOptions['kind'], { parsed, run }: Prepared): Expression {
  const names = namesIn(parsed.expr)
  const nodes = countNodes(parsed.expr)

  const fault = (code: EvaluationFault, nodeId: bigint | undefined): Evaluated => {
    const { line, column } = placeOf(text, parsed, nodeId)
    const where = text.includes('\n') ? `line ${line}, column ${column}` : `column ${column}`
    return { ok: false, code, message: `${faultMessages[code]} (${where})` }
  }

  const evaluate = (scope: Scope): Evaluated => {
    const result = run(scope.bindings)
    if (isCelError(result)) return fault(faultOf(result), result.exprId)
    if (isExhausted()) return fault('budget', undefined)
    if (typeof result === 'boolean') return { ok: true, value: result }
    if (kind === 'condition') return fault('not_a_bool', parsed.expr.id)
    try {
      return { ok: true, value: jsonFromCel(result) }
    } catch (error) {
      return fault(isExhausted() || error instanceof RangeError ? 'budget' : 'failed', parsed.expr.id)
    }
  }

  return {
    text,
    kind,
    names,
    evaluate(scope) {
      if (isSpent()) return fault('budget', undefined)
      const evaluated = evaluate(scope)
      settleLast(nodes)
      return evaluated
    },
  }
}
