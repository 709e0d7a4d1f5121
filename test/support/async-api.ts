import { stringify } from 'yaml'
import { channels } from '../../src/domain/channel.ts'
import { type EventFamily, eventTypes, recordOfFamily } from '../../src/domain/event-types.ts'
import { defaultFeedTopics, parseFeedTopics } from '../../src/domain/feed-layout.ts'
import { jsonSchema, type Source, uriOf } from './feed-schemas.ts'

/** The feed as AsyncAPI 3.1 tells of it, in its default layout, as JSON and as Avro. */
export function asyncApi(sources: readonly Source[]): string {
  return `# Generated from schemas/*.avsc and the table of event types by \`npm run schemas\`.\n${stringify(asyncApiOf(sources), { lineWidth: 0, aliasDuplicateObjects: false })}`
}

export function asyncApiOf(sources: readonly Source[]): Record<string, unknown> {
  const templates = parseFeedTopics(defaultFeedTopics)
  const families = Object.keys(templates) as EventFamily[]
  const recordOf = (family: EventFamily) => sources.find(({ schema }) => schema.name === recordOfFamily[family])!
  const each = <T>(make: (family: EventFamily) => T) =>
    Object.fromEntries(families.map((family) => [family, make(family)]))
  const messageNames = (family: EventFamily) => [recordOfFamily[family], `${recordOfFamily[family]}Avro`]
  return {
    asyncapi: '3.1.0',
    info: {
      title: 'Carillon: the outward feed',
      version: String(sources[0]!.schema.version),
      description:
        'Every status event of every notification, as CloudEvents 1.0 in Kafka’s binary mode. See docs/kafka.md.',
      license: { name: 'Apache-2.0' },
    },
    defaultContentType: 'application/json',
    channels: each((family) => ({
      address: templates[family],
      description: recordOf(family).schema.doc,
      ...(templates[family].includes('{channel}') && { parameters: { channel: { enum: [...channels] } } }),
      messages: Object.fromEntries(messageNames(family).map((name) => [name, ref('messages', name)])),
    })),
    operations: Object.fromEntries(
      families.map((family) => [
        `publish_${family}`,
        { action: 'send', channel: { $ref: `#/channels/${family}` }, summary: recordOf(family).schema.doc },
      ]),
    ),
    components: {
      messages: Object.fromEntries(families.flatMap((family) => messagesOf(family, recordOf(family)))),
      schemas: Object.fromEntries(sources.map(({ schema }) => [schema.name, withoutId(jsonSchema(schema))])),
    },
  }
}

const ref = (kind: string, name: string) => ({ $ref: `#/components/${kind}/${name}` })

/** Ids of their own would change what the references in them are relative to. */
function withoutId({ $id: _id, $schema: _schema, ...schema }: Record<string, unknown>): Record<string, unknown> {
  return schema
}

function messagesOf(family: EventFamily, { file, schema }: Source): [string, object][] {
  const common = { title: schema.name, summary: schema.doc, bindings: { kafka: { key: { type: 'string' } } } }
  const headers = (contentType: string) => headersSchema(family, contentType, uriOf(schema))
  return [
    [
      schema.name,
      {
        name: schema.name,
        ...common,
        contentType: 'application/json',
        headers: headers('application/json'),
        payload: ref('schemas', schema.name),
      },
    ],
    [
      `${schema.name}Avro`,
      {
        name: `${schema.name}Avro`,
        ...common,
        contentType: 'application/avro',
        headers: headers('application/avro'),
        payload: { schemaFormat: 'application/vnd.apache.avro+json;version=1.9.0', schema: { $ref: `./${file}` } },
      },
    ],
  ]
}

function headersSchema(family: EventFamily, contentType: string, dataSchema: string): object {
  const types = eventTypes.filter((type) => type.family === family).map(({ type }) => type)
  const text = (description: string, more: object = {}) => ({ type: 'string', description, ...more })
  const properties = {
    ce_specversion: text('The version of CloudEvents.', { const: '1.0' }),
    ce_id: text('The event’s id: the same however often it is delivered.', { format: 'uuid' }),
    ce_source: text('/carillon/<tenant id>', { format: 'uri-reference' }),
    ce_type: text('What happened. The list grows.', { examples: types }),
    ce_subject: text('The id of what it happened to: an intent, a notification, a delivery.'),
    ce_time: text('When it happened.', { format: 'date-time' }),
    'content-type': text('How the value is written.', { const: contentType }),
    ce_dataschema: text('The schema, with its version.', { examples: [dataSchema] }),
    ce_partitionkey: text('The message’s key.'),
    ce_sequence: text('The event’s place in the log.'),
    ce_tenantid: text('The tenant’s id.', { format: 'uuid' }),
    ce_traceparent: text('W3C trace context, where the request had one.'),
    ce_correlationid: text('The request’s correlation id, where it had one.'),
    ce_idempotencykey: text('The request’s idempotency key, where it had one.'),
    ce_replayid: text('Of a message that was published again: which replay it was.', { format: 'uuid' }),
  }
  const optional = ['ce_traceparent', 'ce_correlationid', 'ce_idempotencykey', 'ce_replayid']
  return { type: 'object', properties, required: Object.keys(properties).filter((name) => !optional.includes(name)) }
}
