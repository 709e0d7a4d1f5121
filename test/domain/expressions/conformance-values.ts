import {
  type CelInput,
  CelScalar,
  type CelValue,
  celUint,
  isCelList,
  isCelMap,
  isCelType,
  isCelUint,
  objectType,
} from '@bufbuild/cel'
import type { Decl, Type } from '@bufbuild/cel-spec/cel/expr/checked_pb.js'
import { Type_PrimitiveType, Type_WellKnownType } from '@bufbuild/cel-spec/cel/expr/checked_pb.js'
import type { Value } from '@bufbuild/cel-spec/cel/expr/value_pb.js'
import { getTestRegistry } from '@bufbuild/cel-spec/testdata/registry.js'
import { createRegistry, type JsonValue, toJson } from '@bufbuild/protobuf'
import {
  AnySchema,
  anyUnpack,
  DurationSchema,
  file_google_protobuf_struct,
  file_google_protobuf_wrappers,
  TimestampSchema,
} from '@bufbuild/protobuf/wkt'
import { listOf, mapOf, type StaticType, types } from '../../../src/domain/expressions/static-types.ts'

export const registry = createRegistry(
  getTestRegistry(),
  TimestampSchema,
  DurationSchema,
  file_google_protobuf_wrappers,
  file_google_protobuf_struct,
  AnySchema,
)

/** A value of the suite, as a binding. */
export function inputOf(value: Value): CelInput {
  const kind = value.kind
  switch (kind.case) {
    case 'nullValue':
      return null
    case 'uint64Value':
      return celUint(kind.value)
    case 'boolValue':
    case 'int64Value':
    case 'doubleValue':
    case 'stringValue':
    case 'bytesValue':
      return kind.value
    case 'listValue':
      return kind.value.values.map(inputOf)
    case 'mapValue':
      return new Map(kind.value.entries.map((entry) => [inputOf(entry.key!) as string, inputOf(entry.value!)]))
    case 'objectValue': {
      const message = anyUnpack(kind.value, registry)
      if (!message) throw new Error(`no message ${kind.value.typeUrl}`)
      return message as CelInput
    }
    case 'typeValue':
      return typeNamed(kind.value)
    default:
      throw new Error(`no value of kind ${kind.case}`)
  }
}

function typeNamed(name: string): CelInput {
  const scalar = Object.values(CelScalar).find((type) => type.name === name)
  return scalar ?? objectType(name)
}

/** Both sides in one notation, in which a double and an int differ, NaN is itself, and a map has no order. */
export function notationOf(value: CelValue): string {
  if (typeof value === 'bigint') return `${value}`
  if (typeof value === 'number') return `double ${Object.is(value, -0) ? '-0' : value}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'boolean' || value === null) return `${value}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (isCelUint(value)) return `${value.value}u`
  if (isCelList(value)) return `[${Array.from(value, notationOf).join(', ')}]`
  if (isCelMap(value)) {
    const entries = Array.from(value, ([key, item]) => `${notationOf(key)}: ${notationOf(item)}`)
    return `{${entries.sort().join(', ')}}`
  }
  if (isCelType(value)) return `type ${value.name}`
  return `${value.desc.typeName} ${sorted(toJson(value.desc, value.message, { registry }))}`
}

function sorted(json: JsonValue): string {
  if (typeof json !== 'object' || json === null) return JSON.stringify(json)
  if (Array.isArray(json)) return `[${json.map(sorted)}]`
  const keys = Object.keys(json).sort()
  return `{${keys.map((key) => `${JSON.stringify(key)}:${sorted(json[key]!)}`)}}`
}

const primitives: Partial<Record<Type_PrimitiveType, StaticType>> = {
  [Type_PrimitiveType.BOOL]: types.bool,
  [Type_PrimitiveType.INT64]: types.int,
  [Type_PrimitiveType.UINT64]: types.uint,
  [Type_PrimitiveType.DOUBLE]: types.double,
  [Type_PrimitiveType.STRING]: types.string,
  [Type_PrimitiveType.BYTES]: types.bytes,
}

export function staticTypeOf(type: Type | undefined): StaticType {
  const kind = type?.typeKind
  switch (kind?.case) {
    case 'primitive':
      return primitives[kind.value] ?? types.dyn
    case 'wellKnown':
      if (kind.value === Type_WellKnownType.TIMESTAMP) return types.timestamp
      return kind.value === Type_WellKnownType.DURATION ? types.duration : types.dyn
    case 'listType':
      return listOf(staticTypeOf(kind.value.elemType))
    case 'mapType':
      return mapOf(staticTypeOf(kind.value.keyType), staticTypeOf(kind.value.valueType))
    case 'null':
      return types.null
    case 'type':
      return types.type
    default:
      return types.dyn
  }
}

export function declarationsOf(decls: readonly Decl[]): Record<string, StaticType> {
  const named: Record<string, StaticType> = Object.create(null)
  for (const type of registry) {
    if (type.kind === 'message') named[type.typeName] = types.type
    if (type.kind === 'enum') for (const { name } of type.values) named[`${type.typeName}.${name}`] = types.int
  }
  for (const { name, declKind } of decls) {
    if (declKind.case === 'ident') named[name] = staticTypeOf(declKind.value.type)
  }
  return named
}
