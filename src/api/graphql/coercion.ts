import {
  type GraphQLInputObjectType,
  type GraphQLInputType,
  GraphQLString,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
} from 'graphql'

/** Gives what graphql-js makes of a JSON value for a type; throws where that is not plain to see. */
export type Coercion = (value: unknown) => unknown

/** Thrown where graphql-js must coerce the value after all, or tell what is wrong with it. */
export const notPlain = new Error('not plainly of its type')

/**
 * GraphQL's coercion of variables, for values that need next to none of it: an eighth of its cost. It coerces nothing to
 * a list, and asks scalars of our own for themselves.
 */
export function compileCoercion(type: GraphQLInputType): Coercion {
  if (isNonNullType(type)) return compileCoercion(type.ofType)
  if (isListType(type)) return listCoercion(type.ofType)
  if (isInputObjectType(type)) return objectCoercion(type)
  if (isEnumType(type)) {
    const values = new Map<unknown, unknown>(type.getValues().map(({ name, value }) => [name, value]))
    return (value) => {
      const inner = values.get(value)
      if (inner === undefined) throw notPlain
      return inner
    }
  }
  if (type === GraphQLString) {
    return (value) => {
      if (typeof value !== 'string') throw notPlain
      return value
    }
  }
  return (value) => {
    const parsed: unknown = type.parseValue(value)
    if (parsed === undefined) throw notPlain
    return parsed
  }
}

function listCoercion(itemType: GraphQLInputType): Coercion {
  const coerce = nullable(itemType)
  return (value) => {
    if (!Array.isArray(value)) throw notPlain
    return value.map(coerce)
  }
}

function objectCoercion(type: GraphQLInputObjectType): Coercion {
  if (type.isOneOf) {
    return () => {
      throw notPlain
    }
  }
  const fields = new Map<string, Coercion>()
  const needed: [name: string, otherwise: unknown][] = []
  for (const { name, type: fieldType, defaultValue } of Object.values(type.getFields())) {
    fields.set(name, nullable(fieldType))
    if (defaultValue !== undefined) needed.push([name, defaultValue])
    else if (isNonNullType(fieldType)) needed.push([name, undefined])
  }
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw notPlain
    const given = value as Record<string, unknown>
    const coerced: Record<string, unknown> = {}
    for (const name in given) {
      const coerce = fields.get(name)
      if (!coerce) throw notPlain
      coerced[name] = coerce(given[name])
    }
    for (const [name, otherwise] of needed) {
      if (coerced[name] !== undefined) continue
      if (otherwise === undefined || name in given) throw notPlain
      coerced[name] = otherwise
    }
    return coerced
  }
}

function nullable(type: GraphQLInputType): Coercion {
  const coerce = compileCoercion(type)
  const takesNull = !isNonNullType(type)
  return (value) => {
    if (value !== null) return coerce(value)
    if (!takesNull) throw notPlain
    return null
  }
}
