import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readConfig } from '../../src/config/config.ts'
import { publicUrlOf } from '../../src/config/public-url.ts'

const cases: [string, Record<string, string>, string | undefined, string | undefined][] = [
  ['what is set holds', { PUBLIC_URL: 'https://x.example/' }, 'http://127.0.0.1:1', 'https://x.example/'],
  ['else where the API listens', { PORT: '0' }, 'http://127.0.0.1:1', 'http://127.0.0.1:1'],
  ['else where it would', { PORT: '4000', HOST: '::1' }, undefined, 'http://[::1]:4000'],
  ['a process of its own knows no free port', { PORT: '0' }, undefined, undefined],
]
for (const [name, env, listening, expected] of cases) {
  test(`how we are reached: ${name}`, () => {
    assert.equal(publicUrlOf(readConfig({ NODE_ENV: 'test', ...env }), listening), expected)
  })
}

test('in production nobody guesses how we are reached', () => {
  const config = { ...readConfig({ NODE_ENV: 'test', PORT: '4000' }), NODE_ENV: 'production' as const }
  assert.equal(publicUrlOf(config, 'http://127.0.0.1:1'), undefined)
})
