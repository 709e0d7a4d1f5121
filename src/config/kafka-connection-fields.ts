import { z } from 'zod'
import { type Field, field, flag, list, urlOf } from './field.ts'

export const saslMechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const
export type SaslMechanism = (typeof saslMechanisms)[number]

const saslMechanism = z
  .string()
  .transform((value) => value.toUpperCase())
  .pipe(z.enum(saslMechanisms, { error: `must be among ${saslMechanisms.join(', ')}` }))
/** RFC 7628: names of letters, values without control characters; `auth` is the token's own. */
const saslExtensions = list.pipe(
  z.array(
    z.string().regex(/^(?!auth=)[A-Za-z]+=[\x20-\x7e\t]+$/, 'must be name=value, the name of letters and not `auth`'),
  ),
)

/** How the brokers are reached. What does not go together is told by kafka-faults.ts. */
export const kafkaConnectionFields = {
  KAFKA_SSL: field({ parse: flag, default: false, help: 'TLS to the brokers.' }),
  KAFKA_SASL_USERNAME: field({
    parse: z.string().optional(),
    help: 'User name of SASL PLAIN and SCRAM. Without it, and without KAFKA_SASL_MECHANISM: no SASL.',
  }),
  KAFKA_SASL_PASSWORD: field({ parse: z.string().optional(), secret: true, help: 'Its password.' }),
  KAFKA_SSL_CA: field({
    parse: z.string().optional(),
    help: 'File (PEM) with the authorities that the brokers’ certificates are checked by; empty: those of Node and of the system.',
  }),
  KAFKA_SSL_CERT: field({
    parse: z.string().optional(),
    help: 'File (PEM) with our certificate and its chain, for mutual TLS. Read anew for each connection.',
  }),
  KAFKA_SSL_KEY: field({ parse: z.string().optional(), help: 'File (PEM) with the key of KAFKA_SSL_CERT.' }),
  KAFKA_SSL_KEY_PASSPHRASE: field({
    parse: z.string().optional(),
    secret: true,
    help: 'What KAFKA_SSL_KEY is encrypted with.',
  }),
  KAFKA_SASL_MECHANISM: field<SaslMechanism | undefined>({
    parse: saslMechanism.optional(),
    help: '`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `OAUTHBEARER`. Default: PLAIN where there is a user name, else no SASL.',
  }),
  KAFKA_SASL_OAUTH_TOKEN_URL: field({
    parse: urlOf('https', 'http').optional(),
    help: 'Where OAUTHBEARER gets its tokens, by the client credentials grant.',
  }),
  KAFKA_SASL_OAUTH_CLIENT_ID: field({ parse: z.string().optional(), help: 'Client id at the token endpoint.' }),
  KAFKA_SASL_OAUTH_CLIENT_SECRET: field({ parse: z.string().optional(), secret: true, help: 'Its secret.' }),
  KAFKA_SASL_OAUTH_SCOPE: field({
    parse: z.string().optional(),
    help: 'Scopes to ask for, with spaces; empty: none is named.',
  }),
  KAFKA_SASL_OAUTH_EXTENSIONS: field({
    parse: saslExtensions.optional(),
    help: 'SASL extensions beside the token, `name=value` with commas: `logicalCluster` and `identityPoolId` of Confluent Cloud.',
  }),
} satisfies Record<string, Field<unknown>>
