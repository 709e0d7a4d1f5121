import type { EventFamily } from '../../domain/event-types.ts'
import type { FeedSchema } from '../../platform/feed-schemas.ts'
import type { SchemaRegistry } from '../../platform/schema-registry.ts'
import { createJsonWriter } from './feed-json.ts'
import type { FeedRecord } from './feed-record.ts'

/** How records become the values of messages. */
export interface FeedFormat {
  contentType: string
  /** See FeedEncoder.prepare. */
  prepare?(): Promise<void>
  /** undefined: longer than `maxBytes`. */
  write(record: FeedRecord, family: EventFamily, topic: string): string | Buffer | undefined
}

/** Brokers take 1 MiB. */
const maxBytes = 512 * 1024

type Schemas = Record<EventFamily, FeedSchema>

const entriesOf = (schemas: Schemas) => Object.entries(schemas) as [EventFamily, FeedSchema][]
const byFamily = <T>(schemas: Schemas, make: (schema: FeedSchema) => T) =>
  Object.fromEntries(entriesOf(schemas).map(([family, schema]) => [family, make(schema)])) as Record<EventFamily, T>

export function jsonFormat(schemas: Schemas): FeedFormat {
  const writers = byFamily(schemas, ({ type }) => createJsonWriter(type.fields.map(({ name }) => name)))
  return {
    contentType: 'application/json',
    write(record, family) {
      const json = writers[family](record)
      // A character is three bytes at most; counting them costs.
      return json.length * 3 <= maxBytes || Buffer.byteLength(json) <= maxBytes ? json : undefined
    },
  }
}

/** The name that a registry knows a schema by: of the topic, of the record, or of both, as Confluent's strategies have it. */
export type SubjectNames = 'topic' | 'record' | 'topic-record'

const subjectOf: Record<SubjectNames, (topic: string, record: string) => string> = {
  topic: (topic) => `${topic}-value`,
  record: (_topic, record) => record,
  'topic-record': (topic, record) => `${topic}-${record}`,
}

/**
 * Avro behind a few bytes that say by which schema: with a registry Confluent's (a zero and the schema's id there), without
 * one those of Avro's single-object encoding (a mark and the schema's fingerprint).
 */
export function avroFormat(
  schemas: Schemas,
  topics: ReadonlyMap<string, ReadonlySet<EventFamily>>,
  registered?: { registry: SchemaRegistry; subjects: SubjectNames },
): FeedFormat {
  const marks = byFamily(schemas, singleObjectMark)
  const leads = new Map<string, Partial<Record<EventFamily, Buffer>>>()
  let preparing: Promise<void> | undefined
  let bytes = Buffer.allocUnsafe(16 * 1024)

  async function register({ registry, subjects }: NonNullable<typeof registered>): Promise<void> {
    const ids = new Map<string, Buffer>()
    for (const [topic, families] of topics) {
      const lead: Partial<Record<EventFamily, Buffer>> = {}
      for (const family of families) {
        const subject = subjectOf[subjects](topic, schemas[family].name)
        const mark = ids.get(subject) ?? confluentMark(await registry.idOf(subject, schemas[family].text))
        ids.set(subject, mark)
        lead[family] = mark
      }
      leads.set(topic, lead)
    }
  }

  return {
    contentType: 'application/avro',
    prepare:
      registered &&
      (() => {
        preparing ??= register(registered).catch((error) => {
          preparing = undefined // to be tried again
          throw error
        })
        return preparing
      }),
    write(record, family, topic) {
      const lead = registered ? leads.get(topic)?.[family] : marks[family]
      if (!lead) throw new Error(`no schema is registered for ${family} in ${topic}`)
      const { type } = schemas[family]
      let end = type.encode(record, bytes, lead.length)
      if (end < 0) {
        bytes = Buffer.allocUnsafe(bytes.length - end)
        end = type.encode(record, bytes, lead.length)
      }
      if (end > maxBytes) {
        bytes = Buffer.allocUnsafe(16 * 1024)
        return undefined
      }
      bytes.set(lead)
      return Buffer.from(bytes.subarray(0, end))
    },
  }
}

function confluentMark(id: number): Buffer {
  const mark = Buffer.alloc(5)
  mark.writeInt32BE(id, 1)
  return mark
}

const singleObjectMark = ({ fingerprint }: FeedSchema): Buffer =>
  Buffer.concat([Buffer.from([0xc3, 0x01]), fingerprint])
