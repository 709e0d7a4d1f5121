/** A world with the API server in front of it, and keys of two tenants. */
import { after } from 'node:test'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { type ApiServer, type ApiServerDeps, createApiServer } from '../../src/api/http/server.ts'
import type { LiveFeed } from '../../src/api/live-feed-port.ts'
import { type Config, readConfig } from '../../src/config/config.ts'
import { acceptIntents } from '../../src/pipeline/accept/accept-intents.ts'
import { createCoalescer } from '../../src/pipeline/accept/coalescer.ts'
import { createLiveFeed } from '../../src/pipeline/stream/live-feed.ts'
import { type ApiKeyScope, apiKeyScopes, createApiKey } from '../../src/store/api-keys.ts'
import { type TestClock, testClock } from '../support/test-clock.ts'
import { createWorld, type World } from '../support/world.ts'

export interface GraphqlError {
  message: string
  path?: (string | number)[]
  extensions: { code: string; path?: string[]; faults?: { path: string[]; message: string }[]; correlationId?: string }
}

// biome-ignore lint/suspicious/noExplicitAny: a test looks at whatever its own query asked for
export type Data = any

export interface GraphqlAnswer {
  data: Data
  errors?: GraphqlError[]
}

export interface ApiWorld extends World {
  /** Set by a test that plays an overload. */
  load: Load
  server: ApiServer
  config: Config
  clock: TestClock
  feed: LiveFeed & { close(): Promise<void> }
  metrics: Registry
  url: string
  /** The lines that were logged. */
  log: string[]
  key: string
  otherKey: string
  keyId: string
  /** How many batches were submitted. */
  submits(): number
  newKey(scopes: readonly ApiKeyScope[], tenantId?: string): Promise<{ id: string; key: string }>
  post(
    query: string,
    variables?: object,
    options?: { key?: string; headers?: Record<string, string> },
  ): Promise<Response>
  /** The whole answer. */
  ask(
    query: string,
    variables?: object,
    options?: { key?: string; headers?: Record<string, string> },
  ): Promise<GraphqlAnswer>
  /** The data; throws if there are errors. */
  data(query: string, variables?: object, options?: { key?: string }): Promise<Data>
  /** The first error; throws if there is none. */
  error(query: string, variables?: object, options?: { key?: string }): Promise<GraphqlError>
}

export interface Load {
  /** How old the backlog behind accepting is. */
  backlogMs: number
  /** How long requests wait to be accepted. */
  waitingMs: number
}

export interface ApiWorldOptions extends Partial<Pick<ApiServerDeps, 'mailbox' | 'subscriptionsPerKey' | 'readiness'>> {
  env?: Record<string, string>
}

/** Call it at the top of a test file: it ends with the file. */
export async function createApiWorld(options: ApiWorldOptions = {}): Promise<ApiWorld> {
  const clock = testClock(new Date())
  const world = await createWorld(clock)
  const config = readConfig({ NODE_ENV: 'test', PORT: '0', ...options.env })
  const log: string[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => void log.push(line) })
  let submits = 0
  const load: Load = { backlogMs: 0, waitingMs: 0 }
  const coalescer = createCoalescer({
    accept: async (intents) =>
      (await acceptIntents(world.api, intents, world.ids, clock.now(), config.IDEMPOTENCY_KEY_TTL)).answers,
    onCommitted: () => {},
    flushMs: config.ACCEPT_FLUSH_MS,
    flushRows: config.ACCEPT_FLUSH_ROWS,
    maxInFlight: 2,
    worthOwn: 1,
    backlog: { ageMs: () => load.backlogMs, mostMs: config.BACKLOG_MAX_AGE },
  })
  const accept = {
    ...coalescer,
    waitingMs: () => Math.max(load.waitingMs, coalescer.waitingMs()),
    submit: (intents: Parameters<typeof coalescer.submit>[0]) => {
      submits++
      return coalescer.submit(intents)
    },
  }
  const feed = createLiveFeed({ pool: world.api, idlePollMs: 20, logger })
  const metrics = new Registry()
  const server = createApiServer({
    config,
    pool: world.api,
    accept,
    clock,
    ids: world.ids,
    logger,
    feed,
    metrics,
    readiness: options.readiness ?? (async () => ({ ok: true, checks: { database: { ok: true } } })),
    statePool: world.worker,
    mailbox: options.mailbox,
    subscriptionsPerKey: options.subscriptionsPerKey,
  })
  const { url } = await server.listen()
  const newKey = (scopes: readonly ApiKeyScope[], tenantId = world.tenant) =>
    createApiKey(world.worker, { tenantId, name: 'a test', scopes, now: clock.now() })
  const { id: keyId, key } = await newKey(apiKeyScopes)
  const { key: otherKey } = await newKey(apiKeyScopes, world.otherTenant)
  let closed: Promise<void> | undefined
  const stop = (graceMs: number) => {
    closed ??= server.close(graceMs)
    return closed
  }
  after(async () => {
    await stop(2_000)
    await feed.close()
    await coalescer.close()
  })

  const post: ApiWorld['post'] = (query, variables, { key: as = key, headers } = {}) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(as ? { authorization: `Bearer ${as}` } : {}), ...headers },
      body: JSON.stringify({ query, variables }),
    })
  const ask: ApiWorld['ask'] = async (query, variables, on) =>
    (await (await post(query, variables, on)).json()) as GraphqlAnswer
  return {
    ...world,
    clock,
    server: { ...server, close: stop },
    config,
    feed,
    load,
    metrics,
    url,
    log,
    key,
    keyId,
    otherKey,
    submits: () => submits,
    newKey,
    post,
    ask,
    async data(query, variables, on) {
      const answer = await ask(query, variables, on)
      if (answer.errors) throw new Error(`unexpected errors: ${JSON.stringify(answer.errors)}`)
      return answer.data
    },
    async error(query, variables, on) {
      const answer = await ask(query, variables, on)
      if (!answer.errors?.[0]) throw new Error(`expected an error, and got ${JSON.stringify(answer.data)}`)
      return answer.errors[0]
    },
  }
}

/** An input that passes, with what a test changes in it. */
export const anInput = (changes: object = {}) => ({
  type: 'commerce.order.shipped',
  recipient: { id: 'user-42', email: 'ann@example.com' },
  channels: ['EMAIL'],
  subject: 'Shipped',
  body: 'Your order is on its way.',
  ...changes,
})

export const sendMutation = `mutation ($input: SendNotificationInput!) {
  sendNotification(input: $input) { id intentId status recipientId subject body scheduledAt createdAt traceId channels priority }
}`
