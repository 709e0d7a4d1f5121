import type { TLSSocket } from 'node:tls'
import { Kafka, type LogEntry, logLevel } from 'kafkajs'
import type { Logger } from 'pino'
import { OperationalError } from '../errors.ts'
import { installFetchDecoder } from './fetch-decoder.ts'
import { type Compression, installRecordEncoder } from './records.ts'
import { tameRequestQueue } from './request-queue.ts'
import { type SaslOptions, saslFor } from './sasl.ts'
import { tameSessions } from './session.ts'
import { createSocketFactory, isTrustFault, type TlsFiles } from './tls.ts'

export interface KafkaOptions {
  brokers: readonly string[]
  clientId: string
  /** `true`: TLS with the authorities of Node and of the system. */
  ssl: boolean | TlsFiles
  compression: Compression
  sasl?: SaslOptions
  logger: Pick<Logger, 'debug'>
  /** Hears of every TLS connection that is made. */
  onSecure?: (socket: TLSSocket) => void
}

/** The settings of the environment that say which brokers, and how. */
export interface KafkaSettings {
  KAFKA_BROKERS: readonly string[]
  KAFKA_CLIENT_ID: string
  KAFKA_COMPRESSION: Compression
  KAFKA_SSL: boolean
  KAFKA_SSL_CA?: string
  KAFKA_SSL_CERT?: string
  KAFKA_SSL_KEY?: string
  KAFKA_SSL_KEY_PASSPHRASE?: string
  KAFKA_SASL_MECHANISM?: SaslOptions['mechanism']
  KAFKA_SASL_USERNAME?: string
  KAFKA_SASL_PASSWORD?: string
  KAFKA_SASL_OAUTH_TOKEN_URL?: string
  KAFKA_SASL_OAUTH_CLIENT_ID?: string
  KAFKA_SASL_OAUTH_CLIENT_SECRET?: string
  KAFKA_SASL_OAUTH_SCOPE?: string
  KAFKA_SASL_OAUTH_EXTENSIONS?: readonly string[]
}

/** What config/ has found to go together. */
export function kafkaOptions(settings: KafkaSettings): Omit<KafkaOptions, 'logger'> {
  return {
    brokers: settings.KAFKA_BROKERS,
    clientId: settings.KAFKA_CLIENT_ID,
    compression: settings.KAFKA_COMPRESSION,
    ssl: settings.KAFKA_SSL && {
      ca: settings.KAFKA_SSL_CA,
      cert: settings.KAFKA_SSL_CERT,
      key: settings.KAFKA_SSL_KEY,
      passphrase: settings.KAFKA_SSL_KEY_PASSPHRASE,
    },
    sasl: saslOptions(settings),
  }
}

function saslOptions(settings: KafkaSettings): SaslOptions | undefined {
  const mechanism = settings.KAFKA_SASL_MECHANISM ?? (settings.KAFKA_SASL_USERNAME ? 'PLAIN' : undefined)
  if (mechanism === undefined) return undefined
  if (mechanism !== 'OAUTHBEARER')
    return {
      mechanism,
      username: settings.KAFKA_SASL_USERNAME ?? '',
      password: settings.KAFKA_SASL_PASSWORD ?? '',
    }
  return {
    mechanism,
    tokenUrl: settings.KAFKA_SASL_OAUTH_TOKEN_URL ?? '',
    clientId: settings.KAFKA_SASL_OAUTH_CLIENT_ID ?? '',
    clientSecret: settings.KAFKA_SASL_OAUTH_CLIENT_SECRET ?? '',
    scope: settings.KAFKA_SASL_OAUTH_SCOPE,
    extensions: settings.KAFKA_SASL_OAUTH_EXTENSIONS,
  }
}

const loopback = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/

/** What of ours can be read on the way to the brokers, for a person to be warned of; undefined: nothing. */
export function readableOnTheWay(settings: KafkaSettings): string | undefined {
  const sasl = saslOptions(settings)
  if (sasl?.mechanism !== 'PLAIN' && sasl?.mechanism !== 'OAUTHBEARER') return undefined
  const hosts = settings.KAFKA_BROKERS.map((broker) => broker.replace(/:\d*$/, ''))
  if (!settings.KAFKA_SSL && !hosts.every((host) => loopback.test(host)))
    return `SASL ${sasl.mechanism} without TLS: the ${sasl.mechanism === 'PLAIN' ? 'password' : 'token'} can be read on the way to the brokers`
  const tokenUrl = sasl.mechanism === 'OAUTHBEARER' ? new URL(sasl.tokenUrl) : undefined
  if (tokenUrl?.protocol === 'http:' && !loopback.test(tokenUrl.hostname))
    return 'the token endpoint is asked over plain http: the client secret can be read on the way'
  return undefined
}

const requestTimeoutMs = 20_000
const goodbyeTimeoutMs = 2_000

/** A client of the brokers, with what kafkajs 2.2.4 does badly put right. */
export function createKafka(options: KafkaOptions): Kafka {
  tameRequestQueue()
  tameSessions()
  installRecordEncoder()
  installFetchDecoder()
  const { ssl } = options
  return new Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    ssl: ssl !== false,
    socketFactory: createSocketFactory(ssl === true ? {} : ssl || undefined, options.onSecure),
    sasl: options.sasl && saslFor(options.sasl),
    connectionTimeout: 5_000,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 2 }, // patience is the caller's part
    logLevel: logLevel.WARN,
    logCreator: () => logTo(options.logger),
  })
}

/** Whether the brokers let us in. Throws OperationalError where they do not. */
export async function logIn(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    await admin.describeCluster() // the login itself may succeed on a listener that wants one and got none
  } catch (error) {
    throw operational(error, 'cannot connect to Kafka')
  } finally {
    await sayGoodbye(() => admin.disconnect())
  }
}

/** KAFKA_UNAVAILABLE, where trying again helps, or KAFKA_REFUSED, where a person has to. */
export function operational(error: unknown, what: string): OperationalError {
  const causes = [...causesOf(error)]
  const told = causes.find((cause): cause is OperationalError => cause instanceof OperationalError)
  const refused =
    causes.some(({ code }) => isTrustFault(code)) ||
    (isFinal(error) &&
      !causes.some(({ name, type, retriable }) => retriable === true || passing.test(`${name} ${type}`)))
  const code = told?.code ?? (refused ? 'KAFKA_REFUSED' : 'KAFKA_UNAVAILABLE')
  return new OperationalError(code, `${what}: ${(error as Error).message}`, { cause: error })
}

type Fault = Error & { code?: unknown; type?: string; retriable?: boolean }

/**
 * kafkajs gives some passing faults out as final ones, with the true one as their cause; and it stumbles over its own feet
 * (TypeError) when the last broker that it knew closes its connections.
 */
const passing = /Connection|Timeout|Broker|Metadata|Closed|Lock|TypeError|ILLEGAL_SASL_STATE/
const isFinal = (error: unknown) =>
  (error as Fault).retriable === false && (error as Fault).name !== 'KafkaJSNumberOfRetriesExceeded'

function* causesOf(error: unknown): Generator<Fault> {
  const seen = new Set<unknown>()
  for (let at = error as Fault | undefined; at instanceof Error && !seen.has(at); at = at.cause as Fault | undefined) {
    seen.add(at)
    yield at
  }
}

/** kafkajs waits for answers that may never come; what is left after the time is closed by the process's end. */
export async function sayGoodbye(disconnect: () => Promise<void>, patienceMs = goodbyeTimeoutMs): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, patienceMs)
  })
  await Promise.race([disconnect().catch(() => {}), tooLong]) // a connection that cannot be closed is closed already
  clearTimeout(timer)
}

/** What it warns of at each of its tries reaches us as an exception in the end, and is told once, by whoever catches it. */
function logTo(logger: Pick<Logger, 'debug'>): (entry: LogEntry) => void {
  return ({ namespace, label, log: { message, timestamp: _, logger: __, stack: ___, ...detail } }) =>
    logger.debug({ kafkajs: namespace, label, ...detail }, String(message))
}
