import { type CelEnv, isCelError, plan } from '@bufbuild/cel'
import { expressionLimits } from './expression-limits.ts'
import { startMeter } from './meter.ts'
import { patternFault } from './pattern-functions.ts'
import {
  aType,
  isAssignable,
  isComparable,
  joinTypes,
  listOf,
  type StaticType,
  staticTypeOf,
  typeName,
  types,
} from './static-types.ts'
import { type SyntaxTree, TypeFault } from './syntax-tree.ts'

interface Argument {
  node: SyntaxTree
  type: StaticType
}

export interface Call {
  node: SyntaxTree
  name: string
  target?: Argument
  args: Argument[]
}

interface Overload {
  target?: StaticType
  args: StaticType[]
  result: StaticType
}

const arithmetic = new Set(['_+_', '_-_', '_*_', '_/_'])
const numeric = new Set(['dyn', 'int', 'uint', 'double'])

/** The type that a call gives; throws TypeFault where no overload takes such arguments. */
export function checkCall(env: CelEnv, call: Call): StaticType {
  const [left, right, third] = call.args.map(({ type }) => type)
  switch (call.name) {
    case '_&&_':
    case '_||_':
    case '@not_strictly_false':
      for (const { node, type } of call.args) mustBeBool(node, type)
      return types.bool
    case '_?_:_':
      mustBeBool(call.args[0]!.node, left!)
      return joinTypes(right!, third!)
    case '_==_':
    case '_!=_':
      if (isComparable(left!, right!)) return types.bool
      throw new TypeFault(call.node, `${aType(left!)} and ${aType(right!)} are never equal`)
    case '@in':
      return checkIn(call, left!, right!)
    case '_[_]':
      return checkIndex(call, left!, right!)
  }
  if (call.name === '_+_' && left?.kind === 'list' && right?.kind === 'list') {
    return listOf(joinTypes(left.element, right.element))
  }
  const result = checkOverloads(env, call)
  checkConstants(env, call)
  // JSON does not tell an int from a double, so neither does arithmetic with what comes from it.
  const hasDyn = left?.kind === 'dyn' || right?.kind === 'dyn'
  const areNumbers = numeric.has(left?.kind ?? '') && numeric.has(right?.kind ?? '')
  return arithmetic.has(call.name) && hasDyn && areNumbers ? types.dyn : result
}

function mustBeBool(node: SyntaxTree, type: StaticType): void {
  if (!isAssignable(type, types.bool)) throw new TypeFault(node, `a bool is needed here, and this is ${aType(type)}`)
}

function checkIn(call: Call, value: StaticType, container: StaticType): StaticType {
  const within =
    container.kind === 'list'
      ? container.element
      : container.kind === 'map'
        ? container.key
        : container.kind === 'record'
          ? types.string
          : container
  if (container.kind !== 'dyn' && within === container) {
    throw new TypeFault(call.node, `'in' looks in a list or a map, and this is ${aType(container)}`)
  }
  if (isComparable(value, within)) return types.bool
  throw new TypeFault(call.node, `${aType(value)} is never in ${aType(container)}`)
}

function checkIndex(call: Call, container: StaticType, index: StaticType): StaticType {
  if (container.kind === 'dyn') return types.dyn
  if (container.kind === 'list' && numeric.has(index.kind)) return container.element
  if (container.kind === 'map' && isComparable(index, container.key)) return container.value
  if (container.kind === 'record' && isAssignable(index, types.string)) return types.dyn
  throw new TypeFault(call.node, `${aType(container)} has no element for ${aType(index)}`)
}

const overloadsOf = new WeakMap<CelEnv, Map<string, Overload[]>>()

function overloads(env: CelEnv, name: string): Overload[] | undefined {
  let all = overloadsOf.get(env)
  if (!all) {
    all = new Map()
    for (const func of env.funcs) {
      const overload = {
        target: func.target && staticTypeOf(func.target),
        args: func.arguments.map(staticTypeOf),
        result: staticTypeOf(func.result),
      }
      all.set(func.name, [...(all.get(func.name) ?? []), overload])
    }
    overloadsOf.set(env, all)
  }
  return all.get(name)
}

function checkOverloads(env: CelEnv, call: Call): StaticType {
  const known = overloads(env, call.name)
  if (!known) throw new TypeFault(call.node, `there is no function '${call.name}'`)
  const fitting = known.filter(
    ({ target, args }) =>
      (target === undefined) === (call.target === undefined) &&
      (target === undefined || isAssignable(call.target!.type, target)) &&
      args.length === call.args.length &&
      args.every((arg, index) => isAssignable(call.args[index]!.type, arg)),
  )
  if (fitting.length === 0) throw new TypeFault(call.node, mismatch(call, known))
  return fitting.map(({ result }) => result).reduce(joinTypes)
}

function mismatch(call: Call, known: Overload[]): string {
  const given = call.args.map(({ type }) => typeName(type)).join(', ')
  const isOperator = /^[^a-z]+$/i.test(call.name)
  if (isOperator) return `'${call.name.replaceAll('_', '')}' does not take (${given})`
  const methods = known.filter(({ target }) => target !== undefined)
  if (call.target === undefined && methods.length === known.length) return `write it as a method: x.${call.name}(…)`
  if (call.target !== undefined && methods.length === 0) return `write it as a function: ${call.name}(…)`
  return `'${call.name}' does not take (${given})${call.target ? ` on ${aType(call.target.type)}` : ''}`
}

/** Constants whose text can only fail: regular expressions, timestamps, durations. */
function checkConstants(env: CelEnv, call: Call): void {
  const [arg] = call.args
  const constant = arg?.node.exprKind.case === 'constExpr' ? arg.node.exprKind.value.constantKind : undefined
  if (constant?.case !== 'stringValue') return
  if (call.name === 'matches') {
    const fault = patternFault(constant.value)
    if (fault) throw new TypeFault(arg!.node, `this is not a regular expression that can be used: ${fault}`)
  }
  if (call.name === 'timestamp' || call.name === 'duration') {
    startMeter(expressionLimits.cost)
    if (isCelError(plan(env, call.node)())) throw new TypeFault(arg!.node, `this is not a ${call.name}`)
  }
}
