import type { CelEnv } from '@bufbuild/cel'
import { checkCall } from './check-calls.ts'
import { aType, isAssignable, joinTypes, listOf, mapOf, type StaticType, types } from './static-types.ts'
import { type Comprehension, type NodeOf, type SyntaxTree, TypeFault } from './syntax-tree.ts'

/** Names and their types; one that is declared further in has the outer one as its prototype. */
export type Declarations = Readonly<Record<string, StaticType>>

interface Checking {
  env: CelEnv
  named: Declarations
}

const aTypes = new Set(['int', 'uint', 'double', 'bool', 'string', 'bytes', 'list', 'map', 'null_type', 'type'])
for (const name of ['Timestamp', 'Duration']) aTypes.add(`google.protobuf.${name}`)

/**
 * The type that an expression gives, as far as it is known before it is evaluated; throws TypeFault for what could only ever
 * fail. The library's own checker does not yet go beyond names and constants.
 */
export function checkTypes(root: SyntaxTree, env: CelEnv, named: Declarations): StaticType {
  return typeOf(root, { env, named })
}

function typeOf(node: SyntaxTree, on: Checking): StaticType {
  const kind = node.exprKind
  switch (kind.case) {
    case 'constExpr':
      return constantType(node, kind.value)
    case 'identExpr':
      return namedType(kind.value.name, on) ?? unknownName(node, kind.value.name, on)
    case 'selectExpr':
      return selectType(node, kind.value, on)
    case 'callExpr':
      return callType(node, kind.value, on)
    case 'listExpr':
      return listOf(joinAll(kind.value.elements.map((element) => typeOf(element, on))))
    case 'structExpr':
      return mapType(node, kind.value, on)
    case 'comprehensionExpr':
      return comprehensionType(node, kind.value, on)
    default:
      throw new TypeFault(node, 'it cannot be read')
  }
}

function constantType(node: SyntaxTree, { constantKind }: NodeOf<'constExpr'>): StaticType {
  switch (constantKind.case) {
    case 'int64Value':
      if (BigInt.asIntN(64, constantKind.value) !== constantKind.value)
        throw new TypeFault(node, 'too large for an int')
      return types.int
    case 'uint64Value':
      if (BigInt.asUintN(64, constantKind.value) !== constantKind.value)
        throw new TypeFault(node, 'too large for a uint')
      return types.uint
    case 'doubleValue':
      return types.double
    case 'stringValue':
      return types.string
    case 'bytesValue':
      return types.bytes
    case 'boolValue':
      return types.bool
    default:
      return types.null
  }
}

function namedType(name: string, on: Checking): StaticType | undefined {
  for (const candidate of candidateNames(on.env.namespace, name)) {
    if (candidate in on.named) return on.named[candidate]
    if (aTypes.has(candidate)) return types.type
  }
  return undefined
}

/** As the specification resolves a name in a container: `a.b.x`, `a.x`, `x`. */
function* candidateNames(container: string, name: string): Iterable<string> {
  if (name.startsWith('.')) {
    yield name.slice(1)
    return
  }
  const parts = container === '' ? [] : container.split('.')
  for (let length = parts.length; length >= 0; length -= 1) yield [...parts.slice(0, length), name].join('.')
}

function unknownName(node: SyntaxTree, name: string, on: Checking): never {
  const known: string[] = []
  for (const key in on.named) if (!key.startsWith('@') && key !== key.toUpperCase()) known.push(key)
  throw new TypeFault(node, `there is no '${name}' here; known are ${known.join(', ')}`)
}

/** `a.b.c` as one name: of a variable, or of a function such as `strings.quote`. */
function qualifiedName(node: SyntaxTree): string | undefined {
  if (node.exprKind.case === 'identExpr') return node.exprKind.value.name
  if (node.exprKind.case !== 'selectExpr' || node.exprKind.value.testOnly || !node.exprKind.value.operand)
    return undefined
  const outer = qualifiedName(node.exprKind.value.operand)
  return outer && `${outer}.${node.exprKind.value.field}`
}

function selectType(node: SyntaxTree, select: NodeOf<'selectExpr'>, on: Checking): StaticType {
  const name = select.testOnly ? undefined : qualifiedName(node)
  const variable = name && namedType(name, on)
  if (variable) return variable
  const field = fieldType(node, typeOf(select.operand!, on), select.field)
  return select.testOnly ? types.bool : field
}

function fieldType(node: SyntaxTree, type: StaticType, field: string): StaticType {
  switch (type.kind) {
    case 'dyn':
      return types.dyn
    case 'map':
      if (isAssignable(types.string, type.key)) return type.value
      throw new TypeFault(node, `${aType(type)} has no fields`)
    case 'record':
      if (Object.hasOwn(type.fields, field)) return type.fields[field]!
      throw new TypeFault(node, `${type.name} has no field '${field}'; it has ${Object.keys(type.fields).join(', ')}`)
    default:
      throw new TypeFault(node, `${aType(type)} has no fields`)
  }
}

function callType(node: SyntaxTree, call: NodeOf<'callExpr'>, on: Checking): StaticType {
  const outer = call.target && qualifiedName(call.target)
  const qualified = outer && `${outer}.${call.function}`
  const args = call.args.map((arg) => ({ node: arg, type: typeOf(arg, on) }))
  if (qualified && on.env.funcs.find(qualified)) return checkCall(on.env, { node, name: qualified, args })
  const target = call.target && { node: call.target, type: typeOf(call.target, on) }
  const [left, right] = args
  if (call.function === '_[_]' && left?.type.kind === 'record') {
    const constant = right?.node.exprKind.case === 'constExpr' ? right.node.exprKind.value.constantKind : undefined
    if (constant?.case === 'stringValue') return fieldType(right!.node, left.type, constant.value)
  }
  return checkCall(on.env, { node, name: call.function, target, args })
}

function mapType(node: SyntaxTree, struct: NodeOf<'structExpr'>, on: Checking): StaticType {
  const isMessage = struct.messageName !== ''
  if (isMessage && namedType(struct.messageName, on)?.kind !== 'type') {
    throw new TypeFault(node, `there is no message type '${struct.messageName}'`)
  }
  mustDiffer(struct)
  const keys: StaticType[] = []
  const values: StaticType[] = []
  for (const entry of struct.entries) {
    if (entry.keyKind.case === 'mapKey') keys.push(keyType(entry.keyKind.value, on))
    values.push(typeOf(entry.value!, on))
  }
  return isMessage ? types.dyn : mapOf(joinAll(keys), joinAll(values))
}

/** Constants only; a key that stands twice by its value is refused when it is evaluated. */
function mustDiffer(struct: NodeOf<'structExpr'>): void {
  const seen = new Set<string>()
  for (const { keyKind } of struct.entries) {
    if (keyKind.case !== 'mapKey' || keyKind.value.exprKind.case !== 'constExpr') continue
    const { value } = keyKind.value.exprKind.value.constantKind
    const key = `${typeof value} ${value}`
    if (seen.has(key)) throw new TypeFault(keyKind.value, 'this key stands twice')
    seen.add(key)
  }
}

function keyType(node: SyntaxTree, on: Checking): StaticType {
  const type = typeOf(node, on)
  if (['dyn', 'string', 'int', 'uint', 'bool'].includes(type.kind)) return type
  throw new TypeFault(node, `a key of a map is a string, an int, a uint or a bool, and not ${aType(type)}`)
}

function comprehensionType(node: SyntaxTree, loop: Comprehension, on: Checking): StaticType {
  const range = typeOf(loop.iterRange!, on)
  const element = range.kind === 'list' ? range.element : range.kind === 'map' ? range.key : types.dyn
  if (!['list', 'map', 'dyn'].includes(range.kind)) {
    throw new TypeFault(node, `it goes over the elements of a list or a map, and this is ${aType(range)}`)
  }
  const inside = (result: StaticType): Checking => {
    const named: Record<string, StaticType> = Object.create(on.named)
    named[loop.accuVar] = result
    named[loop.iterVar] = element
    return { ...on, named }
  }
  const result = typeOf(loop.accuInit!, on)
  typeOf(loop.loopCondition!, inside(result))
  const step = typeOf(loop.loopStep!, inside(result))
  return typeOf(loop.result!, inside(joinTypes(result, step)))
}

function joinAll(all: StaticType[]): StaticType {
  return all.length === 0 ? types.dyn : all.reduce(joinTypes)
}
