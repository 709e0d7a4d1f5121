import { type AvroReader, avroReader } from './avro-values.ts'
import { knownFeedSchemas } from './feed-schemas.ts'
import type { RegistrySchemas } from './registry-schemas.ts'

export type DecodedValue =
  | { ok: true; value: unknown }
  | { ok: false; reason: 'undecodable' | 'unknown_schema'; detail: string }

/**
 * Reads the bytes of a message, by what its content type says; without one, by how they begin: JSON; Avro behind
 * Confluent's mark, by the registry, or without one by the message's `dataschema` if that is ours; Avro behind the
 * single-object mark, if its schema is ours. Values are as JSON has them, whatever they came as.
 */
export interface ValueDecoder {
  /** Fetches the schemas that these need. Throws OperationalError SCHEMA_REGISTRY_UNAVAILABLE or SCHEMA_REFUSED. */
  prepare(values: readonly EncodedValue[]): Promise<void>
  /** Of a value that was prepared. */
  decode(value: EncodedValue): DecodedValue
}

export interface EncodedValue {
  contentType?: string
  /** What the message calls its schema, as CloudEvents have it. */
  dataschema?: string
  bytes: Buffer
}

const json = /^(application|text)\/([\w.-]+\+)?json\s*(;|$)/i
const avro = /^(avro\/binary|application\/(vnd\.apache\.)?avro(\+binary)?|application\/[\w.-]+\+avro)\s*(;|$)/i
/** Confluent's wire format: a zero, the schema's id in four bytes, the value. */
const wireHeadBytes = 5
/** Avro's single-object encoding: its mark, the schema's fingerprint in eight bytes, the value. */
const singleObjectHeadBytes = 10

export function createValueDecoder(schemas: RegistrySchemas | undefined): ValueDecoder {
  const utf8 = new TextDecoder('utf-8', { fatal: true })

  function readJson(bytes: Buffer): DecodedValue {
    let text: string
    try {
      text = utf8.decode(bytes)
    } catch {
      return undecodable('the value is not UTF-8')
    }
    try {
      return { ok: true, value: JSON.parse(text) }
    } catch {
      return undecodable('the value is not JSON') // what the parser says quotes it
    }
  }

  function readAvro({ bytes, dataschema = '' }: EncodedValue): DecodedValue {
    if (isSingleObject(bytes)) {
      const read = ours().byFingerprint.get(bytes.toString('hex', 2, singleObjectHeadBytes))
      if (!read) return unknown('the value’s schema is none of ours')
      return decodeWith(read, bytes.subarray(singleObjectHeadBytes), 'its schema')
    }
    const id = schemaIdOf(bytes)
    if (id === undefined) return undecodable('the value does not begin as Avro does in Confluent’s wire format')
    const read = schemas ? schemas.reader(id) : ours().byUri.get(dataschema)
    if (read) return decodeWith(read, bytes.subarray(wireHeadBytes), `schema ${id}`)
    if (schemas) return unknown(`the registry has no Avro schema ${id}`)
    return unknown(`the value needs schema ${id}, and SCHEMA_REGISTRY_URL is not set`)
  }

  return {
    async prepare(values) {
      if (!schemas) return
      const ids = values.flatMap((value) => (isAvro(value) ? (schemaIdOf(value.bytes) ?? []) : []))
      if (ids.length > 0) await schemas.load(ids)
    },
    decode(value) {
      if (isAvro(value)) return readAvro(value)
      if (value.contentType === undefined || json.test(value.contentType)) return readJson(value.bytes)
      return undecodable('the content type is neither JSON nor Avro')
    },
  }
}

const undecodable = (detail: string): DecodedValue => ({ ok: false, reason: 'undecodable', detail })
const unknown = (detail: string): DecodedValue => ({ ok: false, reason: 'unknown_schema', detail })

function decodeWith(read: AvroReader, bytes: Buffer, schema: string): DecodedValue {
  try {
    return { ok: true, value: read(bytes) }
  } catch {
    return undecodable(`the value is not what ${schema} says`)
  }
}

let known: { byUri: Map<string, AvroReader>; byFingerprint: Map<string, AvroReader> } | undefined
function ours() {
  if (known) return known
  const readers = knownFeedSchemas().map((schema) => ({ ...schema, read: avroReader(JSON.parse(schema.text)) }))
  known = {
    byUri: new Map(readers.map(({ uri, read }) => [uri, read])),
    byFingerprint: new Map(readers.map(({ fingerprint, read }) => [fingerprint.toString('hex'), read])),
  }
  return known
}

function isAvro({ contentType, bytes }: EncodedValue): boolean {
  return contentType === undefined ? bytes[0] === 0 || isSingleObject(bytes) : avro.test(contentType)
}

const isSingleObject = (bytes: Buffer) => bytes[0] === 0xc3 && bytes[1] === 1 && bytes.length >= singleObjectHeadBytes

function schemaIdOf(bytes: Buffer): number | undefined {
  return bytes[0] === 0 && bytes.length >= wireHeadBytes ? bytes.readInt32BE(1) : undefined
}
