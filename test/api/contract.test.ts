import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import {
  astFromValue,
  buildSchema,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isObjectType,
  print,
} from 'graphql'
import { schema } from '../../src/api/graphql/schema.ts'

const contract = buildSchema(readFileSync(new URL('contract.graphql', import.meta.url), 'utf8'))
const types = Object.values(contract.getTypeMap()).filter((type) => !type.name.startsWith('__'))

/** What a type promises, one line each: fields with their types, arguments and defaults, and enum values. */
function promisesOf(type: GraphQLNamedType): string[] {
  if (isEnumType(type)) return type.getValues().map(({ name }) => name)
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).map((field) => {
      const standard = astFromValue(field.defaultValue, field.type)
      return `${field.name}: ${field.type}${standard ? ` = ${print(standard)}` : ''}`
    })
  }
  if (!isObjectType(type)) return []
  return Object.values(type.getFields()).flatMap((field) => [
    `${field.name}: ${field.type}`,
    ...field.args.map((arg) => `${field.name}(${arg.name}: ${arg.type})`),
  ])
}

describe('the contract', () => {
  for (const type of types) {
    it(`${type.name} is there, with every field, argument and value of the same type`, () => {
      const ours = schema.getType(type.name)
      assert.ok(ours, `${type.name} is missing`)
      assert.equal(ours.constructor.name, type.constructor.name)
      const have = new Set(promisesOf(ours))
      const missing = promisesOf(type).filter((promise) => !have.has(promise))
      assert.deepEqual(missing, [])
    })
  }

  it('no argument that it does not know is required', () => {
    for (const type of types) {
      const ours = schema.getType(type.name)
      if (!isObjectType(type) || !isObjectType(ours)) continue
      for (const field of Object.values(type.getFields())) {
        const known = new Set(field.args.map((arg) => arg.name))
        for (const arg of ours.getFields()[field.name]!.args) {
          assert.ok(known.has(arg.name) || !String(arg.type).endsWith('!'), `${type.name}.${field.name}(${arg.name})`)
        }
      }
    }
  })
})
