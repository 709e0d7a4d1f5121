import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ConfigError, describeConfig, readConfig } from '../../src/config/config.ts'
import { kafkaOptions, readableOnTheWay } from '../../src/platform/kafka/connection.ts'
import { makeSecurity, type Security } from '../support/kafka-security.ts'

let folder: string
let files: Security['clients']
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carillon-config-'))
  files = (await makeSecurity(folder)).clients
  await writeFile(join(folder, 'garbage.pem'), 'hush')
})
after(() => rm(folder, { recursive: true, force: true }))

const broker = { KAFKA_BROKERS: 'kafka.example:9093' }
const user = { KAFKA_SASL_USERNAME: 'us', KAFKA_SASL_PASSWORD: 'hush' }
const oauth = {
  KAFKA_SASL_MECHANISM: 'oauthbearer',
  KAFKA_SASL_OAUTH_TOKEN_URL: 'https://issuer.example/token',
  KAFKA_SASL_OAUTH_CLIENT_ID: 'us',
  KAFKA_SASL_OAUTH_CLIENT_SECRET: 'hush',
}

const faults: [string, () => Record<string, string>, [string, RegExp][]][] = [
  ['a broker without a port', () => ({ KAFKA_BROKERS: 'a:9092,b' }), [['KAFKA_BROKERS', /host:port/]]],
  ['a broker by its IPv6 address', () => ({ KAFKA_BROKERS: '[::1]:9092' }), [['KAFKA_BROKERS', /IPv6/]]],
  [
    'a mechanism without a user',
    () => ({ KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' }),
    [
      ['KAFKA_SASL_USERNAME', /SCRAM-SHA-512/],
      ['KAFKA_SASL_PASSWORD', /required/],
    ],
  ],
  ['a user without a password', () => ({ KAFKA_SASL_USERNAME: 'us' }), [['KAFKA_SASL_PASSWORD', /required/]]],
  [
    'an unknown mechanism',
    () => ({ KAFKA_SASL_MECHANISM: 'GSSAPI' }),
    [['KAFKA_SASL_MECHANISM', /must be among PLAIN/]],
  ],
  [
    'OAUTHBEARER without its endpoint',
    () => ({ KAFKA_SASL_MECHANISM: 'OAUTHBEARER' }),
    [
      ['KAFKA_SASL_OAUTH_TOKEN_URL', /required/],
      ['KAFKA_SASL_OAUTH_CLIENT_ID', /required/],
      ['KAFKA_SASL_OAUTH_CLIENT_SECRET', /required/],
    ],
  ],
  [
    'OAUTHBEARER with a user',
    () => ({ ...oauth, ...user }),
    [
      ['KAFKA_SASL_USERNAME', /not used/],
      ['KAFKA_SASL_PASSWORD', /not used/],
    ],
  ],
  [
    'a password in the endpoint',
    () => ({ ...oauth, KAFKA_SASL_OAUTH_TOKEN_URL: 'https://a:hush@issuer.example/' }),
    [['KAFKA_SASL_OAUTH_TOKEN_URL', /must not hold/]],
  ],
  [
    'an extension called auth',
    () => ({ ...oauth, KAFKA_SASL_OAUTH_EXTENSIONS: 'auth=hush' }),
    [['KAFKA_SASL_OAUTH_EXTENSIONS', /name=value/]],
  ],
  [
    'OAuth settings with PLAIN',
    () => ({ ...user, KAFKA_SASL_OAUTH_SCOPE: 'x' }),
    [['KAFKA_SASL_OAUTH_SCOPE', /OAUTHBEARER alone/]],
  ],
  ['an authority without TLS', () => ({ KAFKA_SSL_CA: files.ca }), [['KAFKA_SSL_CA', /KAFKA_SSL=true/]]],
  [
    'a file that is not there',
    () => ({ KAFKA_SSL: 'true', KAFKA_SSL_CA: join(folder, 'nowhere') }),
    [['KAFKA_SSL_CA', /cannot be read \(ENOENT\)/]],
  ],
  [
    'a file that is no certificate',
    () => ({ KAFKA_SSL: 'true', KAFKA_SSL_CA: join(folder, 'garbage.pem') }),
    [['KAFKA_SSL_CA', /not a certificate/]],
  ],
  [
    'a certificate without its key',
    () => ({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: files.client.cert }),
    [['KAFKA_SSL_KEY', /required with KAFKA_SSL_CERT/]],
  ],
  [
    'a key without its certificate',
    () => ({ KAFKA_SSL: 'true', KAFKA_SSL_KEY: files.client.key }),
    [['KAFKA_SSL_CERT', /required with KAFKA_SSL_KEY/]],
  ],
  [
    'a key of another',
    () => ({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: files.client.cert, KAFKA_SSL_KEY: files.stranger.key }),
    [['KAFKA_SSL_KEY', /not the key of/]],
  ],
  [
    'an encrypted key without its passphrase',
    () => ({ KAFKA_SSL: 'true', KAFKA_SSL_CERT: files.client.cert, KAFKA_SSL_KEY: files.client.encryptedKey }),
    [['KAFKA_SSL_KEY', /KAFKA_SSL_KEY_PASSPHRASE/]],
  ],
  [
    'a wrong passphrase',
    () => ({
      KAFKA_SSL: 'true',
      KAFKA_SSL_CERT: files.client.cert,
      KAFKA_SSL_KEY: files.client.encryptedKey,
      KAFKA_SSL_KEY_PASSPHRASE: 'hush',
    }),
    [['KAFKA_SSL_KEY', /of that passphrase/]],
  ],
  ['a retention of a second', () => ({ KAFKA_RETENTION: '1s' }), [['KAFKA_RETENTION', /at least 1m|forever/]]],
]
for (const [name, settings, expected] of faults) {
  test(`${name} is told by the setting’s name`, () => {
    assert.throws(
      () => readConfig({ ...broker, ...settings() }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(
          error.faults.map((fault) => fault.name),
          expected.map(([field]) => field),
        )
        for (const [index, [, message]] of expected.entries()) assert.match(error.faults[index]!.message, message)
        assert.doesNotMatch(error.message, /hush/)
        return true
      },
    )
  })
}

test('nothing of it is looked at where there are no brokers', () => {
  readConfig({ KAFKA_SASL_MECHANISM: 'PLAIN', KAFKA_SSL_CA: '/nowhere' })
})

test('a user alone is PLAIN, and the settings say the rest', () => {
  assert.equal(kafkaOptions(readConfig(broker)).sasl, undefined)
  assert.deepEqual(kafkaOptions(readConfig({ ...broker, ...user })).sasl, {
    mechanism: 'PLAIN',
    username: 'us',
    password: 'hush',
  })
  const scram = readConfig({ ...broker, ...user, KAFKA_SASL_MECHANISM: 'scram-sha-256', KAFKA_SSL: 'true' })
  assert.equal(kafkaOptions(scram).sasl?.mechanism, 'SCRAM-SHA-256')
  const bearer = readConfig({
    ...broker,
    ...oauth,
    KAFKA_SASL_OAUTH_EXTENSIONS: 'logicalCluster=lkc-1, identityPoolId=pool-2',
  })
  assert.deepEqual(kafkaOptions(bearer).sasl, {
    mechanism: 'OAUTHBEARER',
    tokenUrl: 'https://issuer.example/token',
    clientId: 'us',
    clientSecret: 'hush',
    scope: undefined,
    extensions: ['logicalCluster=lkc-1', 'identityPoolId=pool-2'],
  })
  assert.equal(readConfig({ KAFKA_RETENTION: 'forever' }).KAFKA_RETENTION, -1)
  assert.equal(readConfig({ KAFKA_RETENTION: '7d' }).KAFKA_RETENTION, 604_800_000)
})

test('secrets are masked', () => {
  const shown = describeConfig(readConfig({ ...broker, ...oauth, KAFKA_SSL: 'true' }))
  assert.doesNotMatch(JSON.stringify(shown), /hush/)
})

const ways: [string, Record<string, string>, RegExp | undefined][] = [
  ['PLAIN without TLS', user, /the password can be read/],
  ['a token without TLS', oauth, /the token can be read/],
  ['PLAIN over TLS', { ...user, KAFKA_SSL: 'true' }, undefined],
  ['SCRAM without TLS', { ...user, KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512' }, undefined],
  ['PLAIN on this machine', { ...user, KAFKA_BROKERS: 'localhost:9092,127.0.0.1:9092' }, undefined],
  [
    'a secret over http',
    { ...oauth, KAFKA_SSL: 'true', KAFKA_SASL_OAUTH_TOKEN_URL: 'http://issuer.example/' },
    /client secret/,
  ],
]
for (const [name, settings, expected] of ways) {
  test(`what can be read on the way: ${name}`, () => {
    const found = readableOnTheWay(readConfig({ ...broker, ...settings }))
    if (expected) assert.match(found ?? '', expected)
    else assert.equal(found, undefined)
  })
}
