import { readdirSync, readFileSync } from 'node:fs'
import avsc from 'avsc'
import type { FeedRecords } from '../domain/feed-event.ts'

const folder = new URL('../../schemas/', import.meta.url)

export interface FeedSchema {
  /** With its namespace. */
  name: string
  /** What a registry is given: the file, in one line. */
  text: string
  type: avsc.types.RecordType
  /** What a message's ce_dataschema says. */
  uri: string
  /** Avro's own, CRC-64, as the single-object encoding has it. */
  fingerprint: Buffer
}

/** The schema that we write a record with. */
export function feedSchema(record: keyof FeedRecords): FeedSchema {
  const file = record.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()
  return readSchema(`${file}.avsc`)
}

let known: FeedSchema[] | undefined

/** Every schema that messages of ours may have been written with: of this version, and of those before. */
export function knownFeedSchemas(): readonly FeedSchema[] {
  known ??= ['', ...readdirSync(new URL('released/', folder)).map((version) => `released/${version}/`)].flatMap(
    (place) =>
      readdirSync(new URL(`./${place}`, folder))
        .filter((file) => file.endsWith('.avsc'))
        .map((file) => readSchema(place + file)),
  )
  return known
}

function readSchema(path: string): FeedSchema {
  const schema = JSON.parse(readFileSync(new URL(path, folder), 'utf8'))
  const type = avsc.Type.forSchema(schema) as avsc.types.RecordType
  return {
    name: `${schema.namespace}.${schema.name}`,
    text: JSON.stringify(schema),
    type,
    uri: `urn:carillon:feed:${schema.version}:${schema.name}`,
    fingerprint: fingerprintOf(JSON.stringify(type.schema())),
  }
}

/** CRC-64-AVRO of a schema's parsing canonical form, least byte first. Source: the Avro specification, "Schema Fingerprints". */
export function fingerprintOf(canonical: string): Buffer {
  const empty = 0xc15d213aa4d7a795n
  let crc = empty
  for (const byte of Buffer.from(canonical)) {
    let entry = (crc ^ BigInt(byte)) & 0xffn
    for (let bit = 0; bit < 8; bit++) entry = (entry >> 1n) ^ (empty & -(entry & 1n))
    crc = (crc >> 8n) ^ BigInt.asUintN(64, entry)
  }
  const fingerprint = Buffer.alloc(8)
  fingerprint.writeBigUInt64LE(crc)
  return fingerprint
}
