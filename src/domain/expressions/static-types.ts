import type { CelType } from '@bufbuild/cel'

/**
 * The types that are known when an expression is saved. `dyn` is what only its value can tell, as all of `event.data`; a
 * record has named fields, and no others.
 */
export type StaticType =
  | { kind: ScalarKind }
  | { kind: 'list'; element: StaticType }
  | { kind: 'map'; key: StaticType; value: StaticType }
  | { kind: 'record'; name: string; fields: Readonly<Record<string, StaticType>> }

const scalarKinds = [
  'dyn',
  'null',
  'bool',
  'int',
  'uint',
  'double',
  'string',
  'bytes',
  'timestamp',
  'duration',
  'type',
] as const

type ScalarKind = (typeof scalarKinds)[number]

export const types = Object.fromEntries(scalarKinds.map((kind) => [kind, { kind }])) as Record<ScalarKind, StaticType>

export const listOf = (element: StaticType): StaticType => ({ kind: 'list', element })

export const mapOf = (key: StaticType, value: StaticType): StaticType => ({ kind: 'map', key, value })

const ofName: Readonly<Record<string, StaticType>> = {
  ...types,
  null_type: types.null,
  'google.protobuf.Timestamp': types.timestamp,
  'google.protobuf.Duration': types.duration,
}

/** The type that a function of the library declares; messages of other kinds are not checked. */
export function staticTypeOf(type: CelType): StaticType {
  if (type.kind === 'list') return listOf(staticTypeOf(type.element))
  if (type.kind === 'map') return mapOf(staticTypeOf(type.key), staticTypeOf(type.value))
  return (Object.hasOwn(ofName, type.name) ? ofName[type.name] : undefined) ?? types.dyn
}

/** Whether a value of the one type may stand where the other is asked for; what is `dyn` is asked when it is evaluated. */
export function isAssignable(from: StaticType, to: StaticType): boolean {
  if (from.kind === 'dyn' || to.kind === 'dyn') return true
  if (from.kind === 'list' && to.kind === 'list') return isAssignable(from.element, to.element)
  if (from.kind === 'map' && to.kind === 'map') {
    return isAssignable(from.key, to.key) && isAssignable(from.value, to.value)
  }
  if (from.kind === 'record' && to.kind === 'record') return from.name === to.name
  return from.kind === to.kind
}

const numbers = new Set<StaticType['kind']>(['int', 'uint', 'double'])

/** Whether values of the two may be equal; numbers are compared whatever their kinds. */
export function isComparable(left: StaticType, right: StaticType): boolean {
  if (numbers.has(left.kind) && numbers.has(right.kind)) return true
  if (left.kind === 'list' && right.kind === 'list') return isComparable(left.element, right.element)
  if (left.kind === 'map' && right.kind === 'map') {
    return isComparable(left.key, right.key) && isComparable(left.value, right.value)
  }
  return isAssignable(left, right)
}

/** The type of what is either of the two. */
export function joinTypes(left: StaticType, right: StaticType): StaticType {
  if (left.kind === 'list' && right.kind === 'list') return listOf(joinTypes(left.element, right.element))
  if (left.kind === 'map' && right.kind === 'map') {
    return mapOf(joinTypes(left.key, right.key), joinTypes(left.value, right.value))
  }
  return left.kind === right.kind && isAssignable(left, right) ? left : types.dyn
}

/** As a person writes it: `list(string)`. */
export function typeName(type: StaticType): string {
  switch (type.kind) {
    case 'list':
      return `list(${typeName(type.element)})`
    case 'map':
      return `map(${typeName(type.key)}, ${typeName(type.value)})`
    case 'record':
      return type.name
    case 'null':
      return 'null'
    default:
      return type.kind
  }
}

/** With its article, for sentences. */
export function aType(type: StaticType): string {
  const name = typeName(type)
  return name === 'null' ? name : `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`
}
