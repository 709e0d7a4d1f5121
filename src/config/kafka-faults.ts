import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ConfigValues, FieldName } from './schema.ts'

type KafkaField = Extract<FieldName, `KAFKA_${string}`>
type Fault = { name: KafkaField; message: string }

const oauthFields = [
  'KAFKA_SASL_OAUTH_TOKEN_URL',
  'KAFKA_SASL_OAUTH_CLIENT_ID',
  'KAFKA_SASL_OAUTH_CLIENT_SECRET',
  'KAFKA_SASL_OAUTH_SCOPE',
  'KAFKA_SASL_OAUTH_EXTENSIONS',
] as const
const requiredOfOauth = oauthFields.slice(0, 3)
const tlsFields = ['KAFKA_SSL_CA', 'KAFKA_SSL_CERT', 'KAFKA_SSL_KEY', 'KAFKA_SSL_KEY_PASSPHRASE'] as const
const userFields = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'] as const

/** What does not go together in the way to the brokers, told before anything is started. Files are read to see. */
export function kafkaFaults(values: Partial<ConfigValues>): Fault[] {
  if (!values.KAFKA_BROKERS?.length) return []
  return [...brokerFaults(values.KAFKA_BROKERS), ...saslFaults(values), ...tlsFaults(values)]
}

/** The client takes an address apart at its first colon, so an IPv6 address goes by a name. */
const brokerFaults = (brokers: readonly string[]): Fault[] =>
  brokers.every((broker) => /^[^\s:/@[\]]+:\d{1,5}$/.test(broker))
    ? []
    : [{ name: 'KAFKA_BROKERS', message: 'must be host:port, with commas; an IPv6 address goes by a name' }]

function saslFaults(values: Partial<ConfigValues>): Fault[] {
  const mechanism = values.KAFKA_SASL_MECHANISM
  const required = (names: readonly KafkaField[], why: string) =>
    names.filter((name) => values[name] === undefined).map((name) => ({ name, message: `is required with ${why}` }))
  const unused = (names: readonly KafkaField[], message: string) =>
    names.filter((name) => values[name] !== undefined).map((name) => ({ name, message }))
  if (mechanism === 'OAUTHBEARER') {
    const url = values.KAFKA_SASL_OAUTH_TOKEN_URL
    const hasUser = url !== undefined && new URL(url).username + new URL(url).password !== ''
    return [
      ...required(requiredOfOauth, 'KAFKA_SASL_MECHANISM=OAUTHBEARER'),
      ...unused(userFields, 'is not used with KAFKA_SASL_MECHANISM=OAUTHBEARER'),
      ...(hasUser
        ? [
            {
              name: 'KAFKA_SASL_OAUTH_TOKEN_URL' as const,
              message: 'must not hold a user or a password: they have settings of their own',
            },
          ]
        : []),
    ]
  }
  return [
    ...(mechanism || userFields.some((name) => values[name] !== undefined)
      ? required(userFields, mechanism ? `KAFKA_SASL_MECHANISM=${mechanism}` : 'SASL')
      : []),
    ...unused(oauthFields, 'is used with KAFKA_SASL_MECHANISM=OAUTHBEARER alone'),
  ]
}

function tlsFaults(values: Partial<ConfigValues>): Fault[] {
  const faults: Fault[] = []
  const fault = (name: KafkaField, message: string) => void faults.push({ name, message })
  if (values.KAFKA_SSL === false) {
    for (const name of tlsFields) if (values[name] !== undefined) fault(name, 'is used with KAFKA_SSL=true alone')
    return faults
  }
  const pemOf = <T>(name: (typeof tlsFields)[number], what: string, parse: (pem: Buffer) => T): T | undefined => {
    const path = values[name]
    if (path === undefined) return undefined
    let pem: Buffer
    try {
      pem = readFileSync(path)
    } catch (error) {
      fault(name, `cannot be read (${(error as NodeJS.ErrnoException).code})`)
      return undefined
    }
    try {
      return parse(pem)
    } catch {
      fault(name, `is not ${what} in PEM`) // what the parser says may quote the file
      return undefined
    }
  }
  const certificate = (pem: Buffer) => new X509Certificate(pem)
  const passphrase = values.KAFKA_SSL_KEY_PASSPHRASE
  pemOf('KAFKA_SSL_CA', 'a certificate', certificate)
  const ours = pemOf('KAFKA_SSL_CERT', 'a certificate', certificate)
  const key: KeyObject | undefined = pemOf(
    'KAFKA_SSL_KEY',
    passphrase === undefined
      ? 'a private key, or needs KAFKA_SSL_KEY_PASSPHRASE: none'
      : 'a private key of that passphrase,',
    (pem) => createPrivateKey({ key: pem, passphrase }),
  )
  if (values.KAFKA_SSL_CERT !== undefined && values.KAFKA_SSL_KEY === undefined)
    fault('KAFKA_SSL_KEY', 'is required with KAFKA_SSL_CERT')
  if (values.KAFKA_SSL_KEY !== undefined && values.KAFKA_SSL_CERT === undefined)
    fault('KAFKA_SSL_CERT', 'is required with KAFKA_SSL_KEY')
  if (passphrase !== undefined && values.KAFKA_SSL_KEY === undefined)
    fault('KAFKA_SSL_KEY_PASSPHRASE', 'is used with KAFKA_SSL_KEY alone')
  if (ours && key && !ours.checkPrivateKey(key)) fault('KAFKA_SSL_KEY', 'is not the key of KAFKA_SSL_CERT')
  return faults
}
