import { z } from 'zod'
import type { Channel } from '../domain/channel.ts'
import { bridgeFields } from './bridge-fields.ts'
import { feedFields } from './feed-fields.ts'
import { channelList, durationMs, durationsMs, type Field, field, flag, list, urlOf, wholeNumber } from './field.ts'
import { kafkaConnectionFields } from './kafka-connection-fields.ts'

/** Every setting of Carillon: this table is the validation, the manual and `carillon config` in one. */
export const fields = {
  NODE_ENV: field({
    parse: z.enum(['development', 'production', 'test']),
    default: 'development',
    help: 'In `production` there is no embedded Postgres, no demo tenant, no GraphiQL and no capture mailbox.',
  }),
  HOST: field({
    parse: z.string().min(1),
    default: '127.0.0.1',
    help: 'Address to listen on. The container image sets `0.0.0.0`.',
  }),
  PORT: field({ parse: wholeNumber(0, 65535), default: 4000, help: 'Port of the API; 0 takes a free one.' }),
  PUBLIC_URL: field({
    parse: urlOf('http', 'https').optional(),
    help: 'How people reach the API from outside, by https; the unsubscribe links of mails begin with it. Default: the address it listens on, and in production there are no such links then.',
  }),
  CARILLON_DATA_DIR: field({
    parse: z.string().min(1),
    default: '.carillon',
    help: 'Where development keeps its Postgres, mailbox and `dev.json`.',
  }),
  DATABASE_URL: field({
    parse: urlOf('postgres', 'postgresql').optional(),
    secret: true,
    help: 'The Postgres (15 to 18) that holds everything. Without it, and outside production, an embedded one is started.',
  }),
  DATABASE_POOL_API: field({ parse: wholeNumber(1, 200), default: 10, help: 'Connections for the API.' }),
  DATABASE_POOL_WORKER: field({ parse: wholeNumber(6, 200), default: 12, help: 'Connections for workers and relay.' }),
  LOG_LEVEL: field({
    parse: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
    default: 'info',
    help: 'Least level of the JSON log lines on standard error.',
  }),
  SHUTDOWN_TIMEOUT: field({
    parse: durationMs('1s', '10m'),
    default: 25_000,
    help: 'How long a stop waits for work in flight before handing it back.',
  }),

  ACCEPT_FLUSH_MS: field({
    parse: wholeNumber(0, 100),
    default: 2,
    help: 'How long a single request waits for others to share its commit.',
  }),
  ACCEPT_FLUSH_ROWS: field({ parse: wholeNumber(1, 5000), default: 1000, help: 'Intents in one commit at most.' }),
  BACKLOG_MAX_AGE: field({
    parse: durationMs('1s', '30d'),
    default: 120_000,
    help: 'While accepted requests wait longer than this to be planned, only CRITICAL ones are accepted; the others get 503.',
  }),
  API_MAX_WAIT: field({
    parse: durationMs('100ms', '60s'),
    default: 2_000,
    help: 'While requests wait longer than this for their turn, further ones get 503.',
  }),
  IDEMPOTENCY_KEY_TTL: field({
    parse: durationMs('24h', '30d'),
    default: 86_400_000,
    help: 'How long an idempotency key is remembered, at least.',
  }),
  API_MAX_BODY_BYTES: field({ parse: wholeNumber(1024, 104857600), default: 4194304, help: 'Largest request body.' }),
  API_RATE_LIMIT: field({
    parse: wholeNumber(0, 10_000_000),
    default: 0,
    help: 'Requests a second for one API key on one process; 0: no limit.',
  }),
  GRAPHQL_MAX_DEPTH: field({
    parse: wholeNumber(2, 100),
    default: 10,
    help: 'Deepest nesting of a GraphQL operation.',
  }),
  GRAPHQL_MAX_ALIASES: field({
    parse: wholeNumber(1, 1000),
    default: 30,
    help: 'Most aliases in a GraphQL operation.',
  }),
  GRAPHQL_MAX_COST: field({
    parse: wholeNumber(100, 1_000_000),
    default: 10_000,
    help: 'Most cost of a GraphQL operation: one a field, times the size of the lists it stands in.',
  }),

  WORKER_CHUNK: field({
    parse: wholeNumber(1, 5000),
    default: 500,
    help: 'Intents or deliveries that a worker handles at once.',
  }),
  WORKER_CONCURRENCY: field({ parse: wholeNumber(1, 64), default: 2, help: 'Chunks in work at once, per queue.' }),
  SEND_CONCURRENCY: field({ parse: wholeNumber(1, 2000), default: 50, help: 'Sends in flight at once, per channel.' }),
  POLL_IDLE: field({
    parse: durationMs('10ms', '60s'),
    default: 250,
    help: 'How often an idle worker looks for work when nothing wakes it.',
  }),
  CHANNEL_ENABLE_LIST: field({
    parse: channelList,
    default: [] as Channel[],
    help: 'Channels that may be used, with commas; empty: all of them.',
  }),
  CHANNEL_DEFAULT: field({
    parse: channelList.refine((value) => value.length > 0, 'must name a channel'),
    default: ['email'] as Channel[],
    help: 'Channels of a request that names none, has no template that names some, and no address that tells.',
  }),
  AUDIT_ENABLED: field({ parse: flag, default: true, help: 'Whether every notification is written to the audit log.' }),
  RETRY_DELAYS: field({
    parse: durationsMs,
    default: [60_000, 300_000, 1_800_000, 7_200_000],
    help: 'Waits before the second and later attempts; after the last one the delivery is a dead letter.',
  }),
  RETRY_DELAYS_EMAIL: field({ parse: durationsMs.optional(), help: 'The same for e-mail alone.' }),
  RETRY_DELAYS_WEBHOOK: field({ parse: durationsMs.optional(), help: 'The same for webhooks alone.' }),
  RETRY_JITTER: field({
    parse: z.string().transform(Number).pipe(z.number().min(0).max(1)),
    default: 0.2,
    help: 'How far a wait may be off, as a share of itself.',
  }),

  SMTP_URL: field({
    parse: urlOf('smtp', 'smtps').optional(),
    secret: true,
    help: 'Mail server: `smtp://user:password@host:587`. Without it, and outside production, mail goes to the capture mailbox.',
  }),
  SMTP_FROM: field({
    parse: z.string().regex(/^[^\r\n]+$/),
    default: 'Carillon <carillon@localhost.localdomain>',
    help: 'Sender of all mail.',
  }),
  SMTP_TIMEOUT: field({
    parse: durationMs('100ms', '10m'),
    default: 30_000,
    help: 'Longest wait for the mail server.',
  }),
  SMTP_CONNECTIONS: field({ parse: wholeNumber(1, 200), default: 5, help: 'Pooled connections to the mail server.' }),
  ATTACHMENT_HOSTS: field({
    parse: list,
    default: [] as string[],
    help: 'Hosts that attachments may be fetched from by URL, with commas; empty: none.',
  }),
  ATTACHMENT_MAX_BYTES: field({ parse: wholeNumber(0, 104857600), default: 10485760, help: 'Largest attachment.' }),
  WEBHOOK_TIMEOUT: field({
    parse: durationMs('100ms', '5m'),
    default: 15_000,
    help: 'Longest wait for a webhook endpoint.',
  }),
  WEBHOOK_ALLOW_PRIVATE: field({
    parse: flag,
    default: false,
    help: 'Whether webhooks may go to private and loopback addresses.',
  }),
  WEBHOOK_ALLOW_HTTP: field({
    parse: flag,
    default: false,
    help: 'Whether webhooks may go over plain http. Always so in development.',
  }),
  WEBHOOK_ALLOWED_HOSTS: field({
    parse: list,
    default: [] as string[],
    help: 'Hosts that webhooks may reach although their addresses are private, with commas. In development, this machine is one.',
  }),
  WEBHOOK_DISABLE_AFTER: field({
    parse: durationMs('1h', '90d'),
    default: 432_000_000,
    help: 'An endpoint that is subscribed to status events, and has failed without a success for so long, is switched off.',
  }),

  KAFKA_BROKERS: field({
    parse: list,
    default: [] as string[],
    help: 'Brokers of the outward feed, `host:port` with commas; empty: the relay is off and events wait.',
  }),
  KAFKA_CLIENT_ID: field({
    parse: z.string().min(1),
    default: 'carillon',
    help: 'How we name ourselves to the brokers.',
  }),
  KAFKA_TOPIC_PREFIX: field({
    parse: z.string().regex(/^[A-Za-z0-9._-]*$/),
    default: '',
    help: 'Put before every topic name.',
  }),
  KAFKA_PARTITIONS: field({ parse: wholeNumber(1, 1000), default: 6, help: 'Partitions of topics that we create.' }),
  KAFKA_REPLICATION: field({
    parse: wholeNumber(-1, 9),
    default: -1,
    help: 'Replication factor of topics that we create; -1: the broker’s default.',
  }),
  KAFKA_RETENTION: field({
    parse: z
      .literal('forever')
      .transform(() => -1)
      .or(durationMs('1m', '3650d'))
      .optional(),
    help: 'How long topics that we create keep their events, or `forever`. Default: as the broker has it.',
  }),
  KAFKA_COMPRESSION: field<'none' | 'gzip' | 'zstd'>({
    parse: z.enum(['none', 'gzip', 'zstd']),
    default: 'gzip',
    help: 'How record batches are compressed: gzip is read by every client, zstd needs a client that knows it.',
  }),
  ...kafkaConnectionFields,
  ...feedFields,
  ...bridgeFields,

  PARTITIONS_AHEAD_DAYS: field({ parse: wholeNumber(1, 60), default: 7, help: 'Daily partitions kept ready.' }),
  RETENTION_DAYS: field({ parse: wholeNumber(1, 3650), default: 90, help: 'Days that flow tables are kept.' }),
  RETENTION_AUDIT_DAYS: field({ parse: wholeNumber(1, 3650), default: 365, help: 'Days that the audit log is kept.' }),
  RETENTION_PARKED_DAYS: field({
    parse: wholeNumber(1, 3650),
    default: 30,
    help: 'Days that messages are kept which the bridge could not read.',
  }),
  RETENTION_INBOX_DAYS: field({ parse: wholeNumber(1, 3650), default: 30, help: 'Days that inbox items are kept.' }),
} satisfies Record<string, Field<unknown>>

export type FieldName = keyof typeof fields
export type ConfigValues = {
  [Name in FieldName]: z.output<(typeof fields)[Name]['parse']>
}
