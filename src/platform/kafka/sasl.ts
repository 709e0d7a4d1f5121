import type { KafkaConfig } from 'kafkajs'
import { OperationalError } from '../errors.ts'
import { createTokenSource, type OauthClient, type TokenSource } from './oauth-token.ts'

export type SaslOptions =
  | { mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; username: string; password: string }
  | ({ mechanism: 'OAUTHBEARER'; extensions?: readonly string[] } & OauthClient)

/** How kafkajs is told to say who we are. */
export function saslFor(options: SaslOptions): KafkaConfig['sasl'] {
  if (options.mechanism === 'OAUTHBEARER') return oauthBearer(createTokenSource(options), options.extensions ?? [])
  const { username, password } = options
  switch (options.mechanism) {
    case 'PLAIN':
      return { mechanism: 'plain', username, password }
    case 'SCRAM-SHA-256':
      return { mechanism: 'scram-sha-256', username, password }
    case 'SCRAM-SHA-512':
      return { mechanism: 'scram-sha-512', username, password }
  }
}

/** kafkajs goes by `retriable`: whether to try again is for our callers to say. */
class SaslFailure extends OperationalError {
  readonly retriable = false
}

const separator = '\u0001'

/**
 * kafkajs' own one takes a refusal for a success: a broker tells it by a challenge (RFC 7628, 3.2.3), which has to be
 * answered before it fails, and kafkajs does not look at it. What it saw was a connection that closes on its next request.
 */
function oauthBearer(tokens: TokenSource, extensions: readonly string[]): KafkaConfig['sasl'] {
  return {
    mechanism: 'OAUTHBEARER',
    authenticationProvider: ({ saslAuthenticate }) => ({
      async authenticate() {
        const token = await tokens.get().catch((error: OperationalError) => {
          throw new SaslFailure(error.code, `SASL OAUTHBEARER: ${error.message}`)
        })
        const first = ['n,,', `auth=Bearer ${token}`, ...extensions, '', ''].join(separator)
        let refusal: string
        try {
          refusal = String(await saslAuthenticate({ request: saying(first), response: challenge }))
          if (refusal === '') return
          tokens.forget(token)
          await saslAuthenticate({ request: saying(separator), response: challenge })
        } catch (error) {
          tokens.forget(token)
          if (isPassing(error)) throw error
          refusal = (error as Error).message
        }
        throw new SaslFailure(
          'KAFKA_REFUSED',
          `SASL OAUTHBEARER: the broker does not take the token: ${refusal.replaceAll(token, '********')}`,
        )
      },
    }),
  }
}

const isPassing = (error: unknown) => (error as { retriable?: boolean }).retriable !== false

/** As kafkajs hands bytes on: with their length before them. */
const saying = (text: string) => ({
  encode: () => {
    const bytes = Buffer.from(text)
    const size = Buffer.alloc(4)
    size.writeInt32BE(bytes.length)
    return Buffer.concat([size, bytes])
  },
})

const challenge = {
  decode: (bytes: Buffer) => bytes,
  parse: (bytes: Buffer) => bytes.subarray(4).toString(),
}
