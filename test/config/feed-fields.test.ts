import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { ConfigError, describeConfig, readConfig } from '../../src/config/config.ts'

const key = `k1:${randomBytes(32).toString('base64')}`

const faults: [string, Record<string, string>, RegExp][] = [
  ['encryption without a key', { FEED_PII: 'encrypted' }, /FEED_PII_KEYS: is required/],
  [
    'a key that is too short',
    { FEED_PII: 'encrypted', FEED_PII_KEYS: 'k1:c2hvcnQ=' },
    /FEED_PII_KEYS: must be name:key/,
  ],
  ['a key without a name', { FEED_PII_KEYS: key.slice(3) }, /FEED_PII_KEYS: must be name:key/],
  [
    'two keys of one name',
    { FEED_PII_KEYS: `${key},k1:${randomBytes(32).toString('base64')}` },
    /FEED_PII_KEYS: must name each key differently/,
  ],
  [
    'a prefix that makes a topic’s name too long',
    { KAFKA_TOPIC_PREFIX: 'x'.repeat(240) },
    /KAFKA_TOPIC_PREFIX: with it the topic .* has more than 249/,
  ],
  [
    'a registry whose password cannot be read',
    { SCHEMA_REGISTRY_URL: 'http://u:p%zz@host' },
    /SCHEMA_REGISTRY_URL: must be a URL/,
  ],
  ['a choice that is none', { FEED_PII: 'plain' }, /FEED_PII:/],
]
for (const [what, env, message] of faults) {
  test(`${what} is told by the setting’s name, and not shown`, () => {
    assert.throws(
      () => readConfig(env),
      (error) =>
        error instanceof ConfigError &&
        message.test(error.message) &&
        !error.message.includes(env.FEED_PII_KEYS ?? '…'),
    )
  })
}

test('keys are taken in their order, and masked where settings are shown', () => {
  const config = readConfig({
    FEED_PII: 'encrypted',
    FEED_PII_KEYS: `${key}, old:${randomBytes(32).toString('base64')}`,
  })
  assert.deepEqual(
    config.FEED_PII_KEYS.map((text) => text.split(':')[0]),
    ['k1', 'old'],
  )
  assert.equal(describeConfig(config).find(({ name }) => name === 'FEED_PII_KEYS')?.value, '********')
})
