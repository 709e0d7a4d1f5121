import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompressionTypes, type Kafka } from 'kafkajs'
import { pino, stdSerializers } from 'pino'
import type { OperationalError } from '../../../src/platform/errors.ts'
import { createKafka, type KafkaOptions, operational, sayGoodbye } from '../../../src/platform/kafka/connection.ts'
import type { SaslOptions } from '../../../src/platform/kafka/sasl.ts'
import { ensureTopics } from '../../../src/platform/kafka/topics.ts'
import { startKafka, type TestKafka } from '../../support/kafka-broker.ts'
import { type SecureKafka, sessionMs } from '../../support/kafka-security.ts'
import { startTokenEndpoint, type TokenEndpoint, tokenClient } from './support/token-endpoint.ts'

let broker: TestKafka
let secure: SecureKafka
let endpoint: TokenEndpoint
before(async () => {
  broker = await startKafka({ secured: true })
  secure = broker.secure!
  endpoint = await startTokenEndpoint({ status: 500, body: '' })
})
after(async () => {
  await endpoint[Symbol.asyncDispose]()
  await broker.stop()
})

const lines: string[] = []
const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) })
const connect = (over: Partial<KafkaOptions>) =>
  createKafka({ brokers: broker.brokers, clientId: 'test', ssl: false, compression: 'none', logger, ...over })

const oauth = (): SaslOptions => ({ mechanism: 'OAUTHBEARER', tokenUrl: endpoint.url, ...tokenClient })
const plain = (): SaslOptions => ({ mechanism: 'PLAIN', ...secure.plain })
const scram = (mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'): SaslOptions => ({ mechanism, ...secure.scram })
const givesTokens = (claims?: Parameters<SecureKafka['tokenFor']>[0]) => {
  endpoint.answer = { status: 200, body: { access_token: secure.tokenFor(claims), expires_in: 300 } }
}
const saslTls = (sasl: SaslOptions, ca = secure.ca): Partial<KafkaOptions> => ({
  brokers: [secure.listeners.saslTls],
  ssl: { ca },
  sasl,
})

async function publish(kafka: Kafka, topic: string, value: string): Promise<void> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const messages = [{ key: 'k', value, headers: {} }]
  await producer.send({ topic, acks: -1, compression: CompressionTypes.ZSTD, messages })
  await producer.disconnect()
}

async function readOne(kafka: Kafka, topic: string): Promise<string> {
  const consumer = kafka.consumer({ groupId: `${topic}-readers` })
  const read = Promise.withResolvers<string>()
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({ eachMessage: async ({ message }) => read.resolve(String(message.value)) })
  const value = await read.promise
  await consumer.disconnect()
  return value
}

const wishes = { partitions: 1, replication: 1 }

/** Makes a topic, writes and reads. */
async function speaksWith(kafka: Kafka): Promise<void> {
  const topic = `connection-${randomUUID()}`
  assert.deepEqual(await ensureTopics(kafka, [topic], wishes), [])
  await publish(kafka, topic, 'ding')
  assert.equal(await readOne(kafka, topic), 'ding')
}

const goodWays: [string, () => Partial<KafkaOptions>][] = [
  ['TLS and PLAIN', () => saslTls(plain())],
  ['TLS and SCRAM-SHA-256', () => saslTls(scram('SCRAM-SHA-256'))],
  ['TLS and SCRAM-SHA-512', () => saslTls(scram('SCRAM-SHA-512'))],
  ['TLS and OAUTHBEARER', () => saslTls(oauth())],
  ['SCRAM without TLS', () => ({ brokers: [secure.listeners.saslPlain], sasl: scram('SCRAM-SHA-256') })],
  ['mutual TLS', () => mutualTls(secure.client)],
  [
    'mutual TLS with an encrypted key',
    () => mutualTls({ ...secure.client, key: secure.client.encryptedKey, passphrase: secure.client.passphrase }),
  ],
]
const mutualTls = (identity: { cert?: string; key?: string; passphrase?: string }): Partial<KafkaOptions> => ({
  brokers: [secure.listeners.mutualTls],
  ssl: { ca: secure.ca, cert: identity.cert, key: identity.key, passphrase: identity.passphrase },
})

for (const [way, options] of goodWays) {
  test(`${way}: events are written and read`, async () => {
    givesTokens()
    const versions: (string | null)[] = []
    const over = options()
    await speaksWith(connect({ ...over, onSecure: (socket) => versions.push(socket.getProtocol()) }))
    assert.deepEqual([...new Set(versions)], over.ssl ? ['TLSv1.3'] : [])
  })
}

const badWays: [string, 'KAFKA_REFUSED' | 'KAFKA_UNAVAILABLE', RegExp, () => Partial<KafkaOptions>][] = [
  [
    'a wrong password of PLAIN',
    'KAFKA_REFUSED',
    /Authentication failed/,
    () => saslTls({ ...plain(), password: 'wrong-hush' } as SaslOptions),
  ],
  [
    'a wrong password of SCRAM',
    'KAFKA_REFUSED',
    /SCRAM/,
    () => saslTls({ ...scram('SCRAM-SHA-512'), password: 'wrong-hush' } as SaslOptions),
  ],
  [
    'an unknown user',
    'KAFKA_REFUSED',
    /SCRAM/,
    () => saslTls({ ...scram('SCRAM-SHA-256'), username: 'nobody' } as SaslOptions),
  ],
  ['another authority', 'KAFKA_REFUSED', /certificate/, () => saslTls(plain(), secure.otherCa)],
  ['the system’s authorities alone', 'KAFKA_REFUSED', /certificate/, () => ({ ...saslTls(plain()), ssl: true })],
  [
    'another name than the certificate’s',
    'KAFKA_REFUSED',
    /altnames|IP/,
    () => ({ ...saslTls(plain()), brokers: [secure.listeners.saslTls.replace('localhost', '127.0.0.1')] }),
  ],
  ['no certificate where one is asked for', 'KAFKA_REFUSED', /certificate/, () => mutualTls({})],
  ['a certificate of a stranger', 'KAFKA_REFUSED', /certificate/, () => mutualTls(secure.stranger)],
  ['no SASL where it is asked for', 'KAFKA_UNAVAILABLE', /./, () => ({ ...saslTls(plain()), sasl: undefined })],
  ['no TLS where it is asked for', 'KAFKA_UNAVAILABLE', /./, () => ({ ...saslTls(plain()), ssl: false })],
  ['TLS where there is none', 'KAFKA_UNAVAILABLE', /./, () => ({ ssl: { ca: secure.ca } })],
]

/** What a caller is told, and that none of it and nothing logged holds a secret. */
async function refusal(options: Partial<KafkaOptions>): Promise<OperationalError> {
  const admin = connect(options).admin()
  try {
    await admin.connect()
    await admin.listTopics()
  } catch (error) {
    const told = operational(error, 'cannot connect to Kafka')
    logger.error({ err: told }, 'told')
    assert.doesNotMatch(JSON.stringify(stdSerializers.errWithCause(told)), /hush|eyJ/)
    return told
  } finally {
    await sayGoodbye(() => admin.disconnect())
  }
  assert.fail('it was let in')
}

for (const [way, code, message, options] of badWays) {
  test(`${way}: ${code}`, async () => {
    const told = await refusal(options())
    assert.equal(told.code, code, told.message)
    assert.match(told.message, message)
  })
}

test('a token that the broker does not take is KAFKA_REFUSED, and the next try asks for another', async () => {
  for (const claims of [{ lifetimeSeconds: -600 }, { audience: 'somebody else' }]) {
    givesTokens(claims)
    const asked = endpoint.asked.length
    const kafka = connect(saslTls(oauth()))
    const admin = kafka.admin()
    const error = await admin.connect().then(
      () => assert.fail('let in'),
      (fault) => operational(fault, 'x'),
    )
    assert.equal(error.code, 'KAFKA_REFUSED')
    assert.match(error.message, /does not take the token: .*(invalid_token|invalid)/)
    givesTokens()
    await admin.connect()
    await admin.disconnect()
    assert.equal(endpoint.asked.length - asked, 2)
  }
})

test('one token serves all connections', async () => {
  givesTokens()
  const asked = endpoint.asked.length
  await speaksWith(connect(saslTls(oauth())))
  assert.equal(endpoint.asked.length - asked, 1)
})

const badAnswers: [string, TokenEndpoint['answer'], 'KAFKA_REFUSED' | 'KAFKA_UNAVAILABLE', RegExp][] = [
  [
    '401',
    { status: 401, body: { error: 'invalid_client', error_description: 'hush' } },
    'KAFKA_REFUSED',
    /401 invalid_client/,
  ],
  ['503', { status: 503, body: 'hush' }, 'KAFKA_UNAVAILABLE', /answers 503$/],
]
for (const [name, answer, code, message] of badAnswers) {
  test(`a token endpoint that answers ${name}: ${code}`, async () => {
    endpoint.answer = answer
    const told = await refusal(saslTls(oauth()))
    assert.equal(told.code, code)
    assert.match(told.message, message)
  })
}

test('sessions are renewed under load and after a rest, without one failed request', async () => {
  givesTokens()
  const topic = `sessions-${randomUUID()}`
  await ensureTopics(connect({}), [topic], { partitions: 4, replication: 1 })
  await publish(connect({}), topic, 'its leaders are there')
  const ways = [plain(), scram('SCRAM-SHA-256'), scram('SCRAM-SHA-512'), oauth()]
  await Promise.all(
    ways.map(async (sasl) => {
      const kafka = connect({ brokers: [secure.listeners.saslPlain], sasl })
      const producer = kafka.producer({ maxInFlightRequests: 1, retry: { retries: 0 } })
      let logins = 0
      producer.on(producer.events.REQUEST, ({ payload }) => {
        if (payload.apiName === 'SaslHandshake') logins++
      })
      const send = async () => {
        const messages = [0, 1, 2, 3].map((key) => ({ key: `${key}`, value: 'x'.repeat(1_000), headers: {} }))
        await producer.send({ topic, compression: CompressionTypes.ZSTD, messages })
      }
      await producer.connect()
      const until = performance.now() + 2 * sessionMs
      const sendOn = async () => {
        while (performance.now() < until) await send()
      }
      await Promise.all([sendOn(), sendOn(), sendOn()])
      assert.ok(logins >= 3, `${sasl.mechanism}: ${logins} logins`)
      await sleep(sessionMs + 200) // the broker closes what sends on an old session
      await send()
      await producer.disconnect()
    }),
  )
})

test('nothing of it was logged', () => {
  assert.ok(lines.length > 0)
  const telling = lines.filter((line) => /hush|eyJ|BEGIN/.test(line))
  assert.deepEqual(telling, [])
})
