import avro from 'avsc'

/*
 * Values of Avro as JSON has them: unions without their branch's name, bytes in base64, whole numbers beyond 2^53 as text,
 * moments (timestamp-millis, timestamp-micros) in ISO 8601.
 */

export type AvroReader = (bytes: Buffer) => unknown

/** A reader of what was written with this schema. Throws what avsc says of a schema that is none. */
export function avroReader(schema: avro.Schema): AvroReader {
  const type = avro.Type.forSchema(schema, {
    wrapUnions: true,
    registry: { long: bigLong() },
    logicalTypes: { 'timestamp-millis': momentOf(1n), 'timestamp-micros': momentOf(1_000n) },
  } as Partial<avro.ForSchemaOptions>)
  return (bytes) => plain(type, type.fromBuffer(bytes))
}

const bigLong = () =>
  avro.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer(value: bigint) {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(value)
      return bytes
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
  })

function momentOf(perMs: bigint) {
  return class extends avro.types.LogicalType {
    protected override _fromValue(value: unknown): unknown {
      const ms = Number(BigInt(value as bigint) / perMs)
      const at = new Date(ms)
      if (Number.isNaN(at.getTime())) throw new RangeError('a moment that no calendar has')
      return at.toISOString()
    }
    protected override _toValue(value: unknown): unknown {
      return BigInt(Date.parse(String(value))) * perMs
    }
    protected override _resolve(): undefined {}
  }
}

interface Described {
  typeName: string
  fields: { name: string; type: avro.Type }[]
  types: avro.Type[]
  itemsType: avro.Type
  valuesType: avro.Type
}

function plain(of: avro.Type, value: unknown): unknown {
  const type = of as unknown as Described
  switch (type.typeName) {
    case 'record':
    case 'error': {
      const record: Record<string, unknown> = {}
      for (const field of type.fields)
        record[field.name] = plain(field.type, (value as Record<string, unknown>)[field.name])
      return record
    }
    case 'union:wrapped': {
      if (value === null) return null
      const [branch, inner] = Object.entries(value as object)[0]!
      return plain(type.types.find((each) => each.branchName === branch)!, inner)
    }
    case 'array':
      return (value as unknown[]).map((item) => plain(type.itemsType, item))
    case 'map':
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [key, plain(type.valuesType, item)]),
      )
    case 'bytes':
    case 'fixed':
      return Buffer.from(value as Uint8Array).toString('base64')
    default:
      if (typeof value !== 'bigint') return value
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  }
}
