/** The one source of the feed's schemas, and what is made of it: JSON Schema, TypeScript types, AsyncAPI. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { asyncApi } from './async-api.ts'

const folder = fileURLToPath(new URL('../../schemas/', import.meta.url))

export interface AvroField {
  name: string
  type: AvroType
  default?: unknown
  doc: string
}
export type AvroType = string | { type: 'map'; values: string } | ['null', string]
export interface AvroRecord {
  type: 'record'
  name: string
  namespace: string
  version: number
  doc: string
  fields: AvroField[]
}
export interface Source {
  file: string
  schema: AvroRecord
}

/** The records of schemas/, or of one released version. */
export function readSources(release = ''): Source[] {
  const files = readdirSync(folder + release).filter((file) => file.endsWith('.avsc'))
  return files.sort().map((file) => ({
    file,
    schema: JSON.parse(readFileSync(`${folder}${release}/${file}`, 'utf8')),
  }))
}

/** The versions that were released, in order. */
export function releasedVersions(): number[] {
  return readdirSync(`${folder}released`)
    .map(Number)
    .sort((a, b) => a - b)
}

/** Every generated file: its path from the root, and its text. */
export function derivedFiles(sources: readonly Source[]): Map<string, string> {
  const files = new Map<string, string>()
  for (const { file, schema } of sources) {
    const name = file.replace(/\.avsc$/, '.schema.json')
    files.set(`schemas/json/${name}`, `${JSON.stringify(jsonSchema(schema), undefined, 2)}\n`)
  }
  files.set('src/domain/feed-event.ts', types(sources.map(({ schema }) => schema)))
  files.set('schemas/asyncapi.yaml', asyncApi(sources))
  return files
}

export const uriOf = ({ name, version }: AvroRecord): string => `urn:carillon:feed:${version}:${name}`

/** Also says what our JSON is: a field that is null, or an empty map, is left out. */
export function jsonSchema(record: AvroRecord): Record<string, unknown> {
  const properties = record.fields.map(({ name, type, doc }) => [name, { ...jsonTypeOf(type), description: doc }])
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: uriOf(record),
    title: record.name,
    description: record.doc,
    type: 'object',
    properties: Object.fromEntries(properties),
    required: record.fields.filter((field) => !('default' in field)).map(({ name }) => name),
    additionalProperties: true,
  }
}

const jsonTypes: Record<string, string> = { string: 'string', int: 'integer', long: 'integer', boolean: 'boolean' }
function jsonTypeOf(type: AvroType): Record<string, unknown> {
  if (typeof type === 'string') return { type: jsonTypes[type] ?? unknownType(type) }
  if (Array.isArray(type)) return { type: [jsonTypes[type[1]] ?? unknownType(type), 'null'] }
  return { type: 'object', additionalProperties: jsonTypeOf(type.values) }
}

const typeNames: Record<string, string> = { string: 'string', int: 'number', long: 'number', boolean: 'boolean' }
function typeName(type: AvroType): string {
  if (typeof type === 'string') return typeNames[type] ?? unknownType(type)
  if (Array.isArray(type)) return `${typeNames[type[1]] ?? unknownType(type)} | null`
  return `Record<string, ${typeName(type.values)}>`
}

function unknownType(type: AvroType): never {
  throw new Error(`the generator does not know the Avro type ${JSON.stringify(type)}: teach it`)
}

/** What every record begins with is an interface of its own. */
function types(records: readonly AvroRecord[]): string {
  const count = headLength(records)
  const parts = [
    '// Generated from schemas/*.avsc by `npm run schemas`.',
    `/** The version of the schemas. */\nexport const feedSchemaVersion = ${records[0]!.version}`,
    typeOf('FeedEventHead', 'What every event of the feed says.', records[0]!.fields.slice(0, count)),
    ...records.map(({ name, doc, fields }) => typeOf(`${name} extends FeedEventHead`, doc, fields.slice(count))),
    `/** The records of the feed, by name. */\nexport interface FeedRecords {\n${records.map(({ name }) => `  ${name}: ${name}\n`).join('')}}`,
  ]
  return `${parts.join('\n\n')}\n`
}

/** How many fields all records begin with. */
function headLength(records: readonly AvroRecord[]): number {
  const [first, ...others] = records
  const differs = first!.fields.findIndex(({ name }, at) => others.some(({ fields }) => fields[at]?.name !== name))
  return differs === -1 ? first!.fields.length : differs
}

function typeOf(head: string, doc: string, fields: readonly AvroField[]): string {
  const lines = fields.map(({ name, type, doc }) => `  /** ${doc} */\n  ${name}: ${typeName(type)}\n`)
  return `/** ${doc} */\nexport interface ${head} {\n${lines.join('')}}`
}
