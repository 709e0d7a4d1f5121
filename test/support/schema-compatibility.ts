import avsc from 'avsc'

/** A schema as Avro has it; as far as we look into it. */
export interface RecordSchema {
  type: string
  name: string
  namespace?: string
  fields: { name: string; type: unknown; aliases?: string[]; [key: string]: unknown }[]
  [key: string]: unknown
}

/**
 * What would break a reader or a writer of a released version: each must read what the other wrote, and say it under the same
 * names. Avro alone lets a field with a default go, or take another name: the reader is then given the default and never
 * learns that the value was there. So a field that was released stays.
 */
export function breaches(released: RecordSchema, current: RecordSchema): string[] {
  return [
    ...reading('this version cannot read the released one', current, released),
    ...reading('the released version cannot read this one', released, current),
    ...goneFields(released, current, current.name),
  ]
}

function reading(what: string, reader: RecordSchema, writer: RecordSchema): string[] {
  try {
    const [reads, writes] = [reader, writer].map((schema) => avsc.Type.forSchema(schema as unknown as avsc.Schema))
    reads!.createResolver(writes!)
    return []
  } catch (error) {
    return [`${what}: ${(error as Error).message}`]
  }
}

/** Also within records and enums that a field holds. */
function goneFields(released: unknown, current: unknown, path: string): string[] {
  const [before, now] = [namedTypes(released), namedTypes(current)]
  const found: string[] = []
  for (const [name, type] of before) {
    const then = now.get(name)
    if (!then) found.push(`${path}: the type ${name} is gone`)
    for (const { name: field } of type.fields ?? [])
      if (then && !then.fields?.some((each) => each.name === field))
        found.push(`${path}: the field ${name}.${field} is gone`)
    for (const symbol of type.symbols ?? [])
      if (then && !then.symbols?.includes(symbol)) found.push(`${path}: the symbol ${name}.${symbol} is gone`)
  }
  return found
}

interface Named {
  fields?: { name: string; type: unknown }[]
  symbols?: string[]
}

function namedTypes(schema: unknown, found = new Map<string, Named>()): Map<string, Named> {
  if (Array.isArray(schema)) for (const branch of schema) namedTypes(branch, found)
  else if (typeof schema === 'object' && schema !== null) {
    const { name, fields, symbols, items, values, type } = schema as Named & Record<string, unknown>
    if (typeof name === 'string' && (fields || symbols)) found.set(name, { fields, symbols })
    for (const field of fields ?? []) namedTypes(field.type, found)
    for (const inner of [items, values, type]) namedTypes(inner, found)
  }
  return found
}
