/** What a secured broker and its clients need: certificates, users, signed tokens. All of it is made for one run, and thrown away. */
import { execFile } from 'node:child_process'
import { createSign, generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface User {
  username: string
  password: string
}

export interface Identity {
  cert: string
  key: string
}

/** Listeners beside PLAINTEXT, as `host:port`. */
export interface SecureListeners {
  /** TLS and every SASL mechanism. Its certificate is for `localhost`, and not for 127.0.0.1. */
  saslTls: string
  /** Asks for a client's certificate. */
  mutualTls: string
  /** SASL without TLS, with sessions of `sessionMs`. */
  saslPlain: string
}

export interface SecureKafka {
  listeners: SecureListeners
  /** The authority of the broker and of `client`, and one that has nothing to do with it. Paths of PEM files. */
  ca: string
  otherCa: string
  client: Identity & { encryptedKey: string; passphrase: string }
  stranger: Identity
  plain: User
  scram: User
  /** PLAIN; may do only what an ACL lets it. */
  limited: User
  /** A token as the broker takes it, unless told otherwise. */
  tokenFor(claims?: { subject?: string; lifetimeSeconds?: number; audience?: string }): string
}

export interface Security {
  folder: string
  properties: Record<string, string>
  javaOptions: string[]
  clients: Omit<SecureKafka, 'listeners'>
}

export const listenerNames = { saslTls: 'SASLTLS', mutualTls: 'MUTUALTLS', saslPlain: 'SASLPLAIN' } as const

/** Brokers refuse a second login within a second. */
export const sessionMs = 2_000

const audience = 'kafka'
const issuer = 'https://issuer.test'

/** `seenAt` is the folder as the broker sees it. */
export async function makeSecurity(folder: string, seenAt = folder): Promise<Security> {
  const at = (name: string) => join(folder, name)
  await makeAuthority(folder, 'ca')
  await makeAuthority(folder, 'other-ca')
  await makeIdentity(folder, 'broker', 'ca', 'subjectAltName=DNS:localhost')
  await makeIdentity(folder, 'client', 'ca')
  await makeIdentity(folder, 'stranger', 'other-ca')
  await run('sh', ['-c', 'cat "$1" "$2" > "$3"', 'sh', at('broker.key'), at('broker.pem'), at('broker-store.pem')])
  const passphrase = 'of-the-key'
  const encrypt = ['pkcs8', '-topk8', '-in', at('client.key'), '-out', at('client-encrypted.key')]
  await run('openssl', [...encrypt, '-passout', `pass:${passphrase}`])
  const signer = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...signer.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }
  await writeFile(at('jwks.json'), JSON.stringify({ keys: [jwk] }))

  const plain = { username: 'carillon', password: 'plain-hush,=1' }
  const scram = { username: 'carillon-scram', password: 'scram-hush-1' }
  const limited = { username: 'limited', password: 'limited-hush-1' }
  const jwks = `file://${seenAt}/jwks.json`
  const security = 'org.apache.kafka.common.security'
  const users = [plain, limited].map(({ username, password }) => `user_${username}="${password}"`).join(' ')
  const properties: Record<string, string> = {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': `User:ANONYMOUS;User:CN=client;User:${plain.username};User:${scram.username};User:service`,
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': `${seenAt}/broker-store.pem`,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': `${seenAt}/ca.pem`,
    'listener.name.mutualtls.ssl.client.auth': 'required',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
  }
  for (const listener of [listenerNames.saslTls, listenerNames.saslPlain].map((name) => name.toLowerCase())) {
    const of = (name: string) => `listener.name.${listener}.${name}`
    properties[of('plain.sasl.jaas.config')] = `${security}.plain.PlainLoginModule required ${users};`
    for (const mechanism of ['scram-sha-256', 'scram-sha-512'])
      properties[of(`${mechanism}.sasl.jaas.config`)] = `${security}.scram.ScramLoginModule required;`
    properties[of('oauthbearer.sasl.jaas.config')] = `${security}.oauthbearer.OAuthBearerLoginModule required;`
    properties[of('oauthbearer.sasl.server.callback.handler.class')] =
      `${security}.oauthbearer.OAuthBearerValidatorCallbackHandler`
    properties[of('oauthbearer.sasl.oauthbearer.jwks.endpoint.url')] = jwks
    properties[of('oauthbearer.sasl.oauthbearer.expected.audience')] = audience
    properties[of('oauthbearer.sasl.oauthbearer.expected.issuer')] = issuer
  }
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
    properties[`listener.name.saslplain.${mechanism}.connections.max.reauth.ms`] = `${sessionMs}`

  return {
    folder,
    properties,
    javaOptions: [`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${jwks}`],
    clients: {
      ca: at('ca.pem'),
      otherCa: at('other-ca.pem'),
      client: { cert: at('client.pem'), key: at('client.key'), encryptedKey: at('client-encrypted.key'), passphrase },
      stranger: { cert: at('stranger.pem'), key: at('stranger.key') },
      plain,
      scram,
      limited,
      tokenFor({ subject = 'service', lifetimeSeconds = 300, audience: aud = audience } = {}) {
        const now = Math.floor(Date.now() / 1_000)
        const claims = { sub: subject, iss: issuer, aud, iat: now - 3_600, exp: now + lifetimeSeconds }
        const signed = [{ alg: 'RS256', typ: 'JWT', kid: 'one' }, claims].map(base64url).join('.')
        return `${signed}.${createSign('sha256').update(signed).sign(signer.privateKey, 'base64url')}`
      },
    },
  }
}

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

const ellipticKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

async function makeAuthority(folder: string, name: string): Promise<void> {
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.pem`)]
  await run('openssl', ['req', '-x509', ...ellipticKey, ...files, '-days', '2', '-subj', `/CN=${name}`])
}

async function makeIdentity(folder: string, name: string, authority: string, extension?: string): Promise<void> {
  const at = (file: string) => join(folder, file)
  const request = ['-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)]
  await run('openssl', ['req', '-new', ...ellipticKey, ...request, '-subj', `/CN=${name}`])
  await writeFile(at(`${name}.ext`), extension ?? 'basicConstraints=CA:FALSE')
  const signing = ['-CA', at(`${authority}.pem`), '-CAkey', at(`${authority}.key`), '-CAcreateserial', '-days', '2']
  const files = ['-in', at(`${name}.csr`), '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)]
  await run('openssl', ['x509', '-req', ...signing, ...files])
}
