import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { feedSchema, fingerprintOf } from '../../src/platform/feed-schemas.ts'
import { asyncApiOf } from '../support/async-api.ts'
import { type AvroRecord, derivedFiles, readSources, releasedVersions } from '../support/feed-schemas.ts'
import { breaches, type RecordSchema } from '../support/schema-compatibility.ts'

const root = new URL('../../', import.meta.url)
const sources = readSources()

for (const [path, text] of derivedFiles(sources)) {
  test(`${path} says what the schemas say (else: npm run schemas)`, () =>
    assert.equal(readFileSync(new URL(path, root), 'utf8'), text))
}

test('the records share a version and a beginning', () => {
  const [first, ...others] = sources.map(({ schema }) => schema)
  const head = (schema: AvroRecord) => schema.fields.slice(0, 12)
  for (const other of others) {
    assert.equal(other.version, first!.version)
    assert.deepEqual(head(other), head(first!))
  }
})

test('names are in snake_case, everything has its doc, and what may be absent is null', () => {
  for (const { schema } of sources) {
    assert.equal(schema.namespace, 'io.carillon.feed')
    for (const { name, doc, type, ...field } of schema.fields) {
      assert.match(name, /^[a-z]+(_[a-z]+)*$/)
      assert.ok(doc.length > 10, name)
      if (Array.isArray(type)) assert.equal(field.default, null, name)
    }
  }
})

test('a version that was released is what it was; what changes gets the next number (and: npm run schemas -- --release)', () => {
  const versions = releasedVersions()
  const { version } = sources[0]!.schema
  assert.deepEqual(
    versions,
    versions.map((_, index) => index + 1),
  )
  if (versions.includes(version)) assert.deepEqual(sources, readSources(`released/${version}`))
  else assert.equal(version, versions.length + 1)
})

for (const version of releasedVersions()) {
  test(`schemas and readers of version ${version} get on with those of today`, () => {
    const found = readSources(`released/${version}`).flatMap(({ file, schema }) => {
      const current = sources.find((source) => source.file === file)
      return current ? breaches(asRecord(schema), asRecord(current.schema)) : [`${file} is gone`]
    })
    assert.deepEqual(found, [])
  })
}

const asRecord = (schema: AvroRecord) => schema as unknown as RecordSchema

const base: RecordSchema = {
  type: 'record',
  name: 'R',
  namespace: 'a.b',
  fields: [
    { name: 'id', type: 'string' },
    { name: 'many', type: 'int' },
    { name: 'note', type: ['null', 'string'], default: null },
    { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['A', 'B'], default: 'A' }, default: 'A' },
    { name: 'tags', type: { type: 'map', values: 'string' }, default: {} },
  ],
}
const changed = (change: (fields: RecordSchema['fields']) => RecordSchema['fields'], more: object = {}) => ({
  ...base,
  ...more,
  fields: change(structuredClone(base.fields)),
})
const replace = (name: string, by: object) => (fields: RecordSchema['fields']) =>
  fields.map((field) => (field.name === name ? { ...field, ...by } : field))
const anEnum = (symbols: string[], more: object = {}) => ({ type: { type: 'enum', name: 'Kind', symbols, ...more } })

const breaking: [what: string, schema: RecordSchema][] = [
  ['a field without default removed', changed((fields) => fields.filter(({ name }) => name !== 'many'))],
  ['a field with default removed', changed((fields) => fields.filter(({ name }) => name !== 'note'))],
  ['a field without default added', changed((fields) => [...fields, { name: 'new', type: 'string' }])],
  [
    'a field that may be null added, without default',
    changed((fields) => [...fields, { name: 'new', type: ['null', 'string'] }]),
  ],
  ['a type changed', changed(replace('many', { type: 'string' }))],
  ['a type made wider, which the old readers cannot follow', changed(replace('many', { type: 'long' }))],
  ['a field made nullable, which the old readers cannot follow', changed(replace('many', { type: ['null', 'int'] }))],
  ['a field made necessary', changed(replace('note', { type: 'string', default: '' }))],
  ['the values of a map changed', changed(replace('tags', { type: { type: 'map', values: 'int' } }))],
  ['a field renamed', changed(replace('many', { name: 'count' }))],
  ['a field with default renamed', changed(replace('note', { name: 'remark' }))],
  ['a field renamed with an alias', changed(replace('note', { name: 'remark', aliases: ['note'] }))],
  ['the record renamed', changed((fields) => fields, { name: 'S' })],
  ['an enum’s symbol removed', changed(replace('kind', anEnum(['A'], { default: 'A' })))],
  ['an enum’s symbol renamed', changed(replace('kind', anEnum(['A', 'C'], { default: 'A' })))],
]
for (const [what, schema] of breaking) {
  test(`the check refuses: ${what}`, () => assert.notDeepEqual(breaches(base, schema), []))
}

const harmless: [what: string, schema: RecordSchema][] = [
  ['nothing changed', base],
  [
    'a field with default added',
    changed((fields) => [...fields, { name: 'new', type: ['null', 'string'], default: null }]),
  ],
  ['fields in another order', changed((fields) => fields.reverse())],
  ['a doc changed', changed(replace('many', { doc: 'how many' }))],
  ['a symbol added to an enum that has a default', changed(replace('kind', anEnum(['A', 'B', 'C'], { default: 'A' })))],
]
for (const [what, schema] of harmless) {
  test(`the check lets pass: ${what}`, () => assert.deepEqual(breaches(base, schema), []))
}

test('the check refuses a symbol that old readers have no default for', () => {
  const strict = changed(replace('kind', anEnum(['A', 'B'])))
  assert.notDeepEqual(breaches(strict, changed(replace('kind', anEnum(['A', 'B', 'C'])))), [])
})

test('the AsyncAPI document is one, by the schema of the specification, and its file says the same', () => {
  const document = asyncApiOf(sources)
  assert.deepEqual(parse(readFileSync(new URL('schemas/asyncapi.yaml', root), 'utf8')), document)
  const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.1.0-without-$id.json')
  const isValid = new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile<unknown>(schema)
  const fits: boolean = isValid(document)
  assert.ok(fits, JSON.stringify(isValid.errors?.slice(0, 5)))
  const broken: boolean = isValid({ ...document, channels: { a: { address: 7 } } })
  assert.ok(!broken)
})

test('every reference of the AsyncAPI document leads somewhere', () => {
  const document = asyncApiOf(sources)
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!)
  assert.ok(refs.length > 10)
  for (const ref of refs) {
    if (ref.startsWith('#/')) {
      const target = ref
        .slice(2)
        .split('/')
        .reduce<unknown>((at, name) => (at as Record<string, unknown>)?.[name], document)
      assert.ok(target, ref)
    } else assert.ok(existsSync(new URL(ref, new URL('schemas/', root))), ref)
  }
})

test('fingerprints are those of the specification', () => {
  // The first lines of Avro's share/test/data/schema-tests.txt.
  for (const [text, fingerprint] of [
    ['"null"', 7195948357588979594n],
    ['"boolean"', -6970731678124411036n],
    ['"int"', 8247732601305521295n],
  ] as const)
    assert.equal(fingerprintOf(text).readBigInt64LE(), fingerprint, text)
  const { type, fingerprint } = feedSchema('SystemEvent')
  const canonical = JSON.stringify(type.schema())
  assert.match(
    canonical,
    /^\{"name":"io\.carillon\.feed\.SystemEvent","type":"record","fields":\[\{"name":"id","type":"string"\},/,
  )
  assert.deepEqual(fingerprint, fingerprintOf(canonical))
})
