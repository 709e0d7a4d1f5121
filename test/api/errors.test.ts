import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GraphQLError } from 'graphql'
import { pino } from 'pino'
import { createErrorMask, fault } from '../../src/api/graphql/errors.ts'
import { OperationalError } from '../../src/platform/errors.ts'

const coded = (code: string, message = 'secret detail') => Object.assign(new Error(message), { code })

const cases: [name: string, error: unknown, code: string, logged: boolean][] = [
  ['an expected fault', fault('NOT_FOUND', 'there is none'), 'NOT_FOUND', false],
  ['a coercion without a code', new GraphQLError('Variable "$a" got invalid value'), 'BAD_USER_INPUT', false],
  ['a stop of the service', new OperationalError('SHUTTING_DOWN', 'stopping'), 'SHUTTING_DOWN', false],
  ['a slow follower', coded('FOLLOWER_TOO_SLOW'), 'UNAVAILABLE', false],
  ['a connection refused', coded('ECONNREFUSED'), 'UNAVAILABLE', true],
  ['a database that stops', coded('57P01'), 'UNAVAILABLE', true],
  ['too many connections', coded('53300'), 'UNAVAILABLE', true],
  ['a statement that took too long', coded('57014'), 'UNAVAILABLE', true],
  ['a lost connection', new Error('Connection terminated unexpectedly'), 'UNAVAILABLE', true],
  ['no free connection', new Error('timeout exceeded when trying to connect'), 'UNAVAILABLE', true],
  ['a NUL in a parameter', coded('22021'), 'BAD_USER_INPUT', false],
  ['a request that is too deep', new RangeError('Maximum call stack size exceeded'), 'TOO_COMPLEX', false],
  ['a broken constraint', coded('23514'), 'INTERNAL', true],
  ['a bug', new TypeError('secret detail'), 'INTERNAL', true],
  ['what is no error at all', 'secret detail', 'INTERNAL', true],
]

describe('an error that a resolver throws', () => {
  for (const [name, error, code, logged] of cases) {
    it(`is ${code} for ${name}${logged ? ', and is logged' : ''}`, () => {
      const log: string[] = []
      const mask = createErrorMask(pino({ level: 'info' }, { write: (line: string) => void log.push(line) }))
      const thrown = error instanceof Error ? error : new Error(String(error))
      const located =
        error instanceof GraphQLError ? error : new GraphQLError(thrown.message, { originalError: thrown, path: ['a'] })
      const masked = mask(located)
      assert.equal(masked.extensions.code, code)
      assert.ok(!masked.message.includes('secret detail'))
      assert.equal(log.length > 0, logged)
      if (logged) assert.ok(log[0]!.includes(String(masked.extensions.correlationId)))
    })
  }
})
