import { join, relative } from 'node:path'
import { systemClock } from '../platform/clock.ts'
import { startEmbeddedPostgres } from '../platform/embedded-postgres.ts'
import { readDatabaseFacts } from '../store/doctor.ts'
import { migrate } from '../store/migrate.ts'
import type { RunningApp } from './app-port.ts'
import { createApiClient } from './client/api-client.ts'
import { type DevFile, devFilePath, readDevFile, writeDevFile } from './client/dev-file.ts'
import { withPool } from './database.ts'
import { type Demo, demoTenantId, lastWebhookUrl, prepareDemo } from './demo/prepare-demo.ts'
import { readStories } from './demo/stories.ts'
import { tellStory } from './demo/tell-story.ts'
import { startWebhookReceiver } from './demo/webhook-receiver.ts'
import { CommandError, codeOf, exitCodes } from './exit-codes.ts'
import { type Starting, sayReady, startPart } from './start-part.ts'
import { columns, shade, type Terminal } from './terminal.ts'

const storiesPatienceMs = 20_000

/**
 * The service as a newcomer meets it: a database (embedded, unless DATABASE_URL names one), the schema, a demo tenant
 * with a key, templates and people, and on the first start the three stories. Stops between two steps when asked to.
 */
export async function startDevelopment(on: Starting): Promise<void> {
  const { config, terminal, role, closing } = on
  terminal.line(shade('bold', 'Carillon, in development'))
  const databaseUrl = await openDatabase(on)
  if (closing.signal.aborted) return
  await prepareSchema(on, databaseUrl)
  if (closing.signal.aborted) return
  if (role === 'worker' || role === 'relay') {
    sayReady(on, await startPart(on, databaseUrl))
    return
  }

  const { demo, allowedHost } = await openDemo(on, databaseUrl)
  if (closing.signal.aborted) return
  // The demo's own webhook goes to this machine: in development alone, and to that one host alone.
  const allowing = { ...config, WEBHOOK_ALLOWED_HOSTS: [...config.WEBHOOK_ALLOWED_HOSTS, allowedHost] }
  const app = await startPart({ ...on, config: allowing }, databaseUrl)
  const dev = devFileOf(app, demo, databaseUrl)
  await writeDevFile(config.CARILLON_DATA_DIR, dev)
  const isFirst = demo.isFirst && role === 'all'
  if (isFirst) await tellStories(on, dev)
  if (closing.signal.aborted) return
  sayWhatToOpen(on, dev, isFirst)
  sayReady(on, app)
}

async function openDatabase({ config, terminal, closing }: Starting): Promise<string> {
  if (config.DATABASE_URL) {
    const facts = await withPool(config.DATABASE_URL, undefined, readDatabaseFacts)
    sayStep(terminal, 'database', `Postgres ${facts.version}, ${facts.database} (DATABASE_URL)`)
    return config.DATABASE_URL
  }
  terminal.progress('starting Postgres')
  const postgres = await startEmbeddedPostgres({
    dataDir: config.CARILLON_DATA_DIR,
    onNotice: (notice) => terminal.progress(notice),
  })
  closing.add(() => postgres.stop())
  postgres.onExit((error) => {
    // What follows are lines of its log, and they would bury the one that says it.
    const [said] = error.message.split(': ')
    terminal.remark(`carillon: ${said}; its log is ${join(shown(config.CARILLON_DATA_DIR), 'postgres.log')}`)
    closing.ask(exitCodes.unavailable)
  })
  const facts = await withPool(postgres.url, undefined, readDatabaseFacts)
  sayStep(
    terminal,
    'database',
    `Postgres ${facts.version} on port ${postgres.port}, kept in ${shown(config.CARILLON_DATA_DIR)}`,
  )
  return postgres.url
}

async function prepareSchema({ config, terminal }: Starting, databaseUrl: string): Promise<void> {
  terminal.progress('migrating')
  const { applied } = await migrate({
    databaseUrl,
    partitionsAheadDays: config.PARTITIONS_AHEAD_DAYS,
    onStep: (step) => terminal.progress(step),
  })
  sayStep(terminal, 'schema', applied.length === 0 ? 'up to date' : `${applied.length} migrations applied`)
}

async function openDemo(on: Starting, databaseUrl: string): Promise<{ demo: Demo; allowedHost: string }> {
  const { config, terminal, closing } = on
  return withPool(databaseUrl, 'carillon_worker', async (pool) => {
    const lastUrl = await lastWebhookUrl(pool)
    let secrets: string[] = []
    const receiver = await startWebhookReceiver({
      preferredPort: lastUrl ? Number(new URL(lastUrl).port) : undefined,
      secrets: () => secrets,
      onReceived({ type, verified }) {
        terminal.document({ event: 'webhook', type, verified })
        terminal.line(`           WEBHOOK  ${type} received by the demo, signature ${verified ? 'verified' : 'WRONG'}`)
      },
    })
    closing.add(() => receiver.close())
    const known = await readDevFile(config.CARILLON_DATA_DIR)
    const demo = await prepareDemo(pool, {
      knownApiKey: known?.apiKey,
      webhookUrl: receiver.url,
      now: systemClock.now(),
    })
    secrets = demo.webhookSecrets
    sayStep(terminal, 'demo', `${demo.templates.length} templates, ${demo.recipients} people, tenant ${demoTenantId}`)
    return { demo, allowedHost: new URL(receiver.url).hostname }
  })
}

function devFileOf(app: RunningApp, demo: Demo, databaseUrl: string): DevFile {
  const url = app.url!
  return { url, graphqlUrl: `${url}/graphql`, apiKey: demo.apiKey, tenantId: demoTenantId, databaseUrl }
}

/** A story that cannot be told is said to be so; the service serves all the same. */
async function tellStories({ terminal, closing }: Starting, dev: DevFile): Promise<void> {
  terminal.line()
  terminal.line('Three stories, through the real pipeline:')
  terminal.line()
  const client = createApiClient(dev)
  for (const story of await readStories()) {
    if (closing.signal.aborted) return
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(storiesPatienceMs)])
    try {
      await tellStory(client, story, terminal, signal)
    } catch (error) {
      if (!(error instanceof CommandError) && codeOf(error) === '') throw error
      terminal.remark(`  ${(error as Error).message}`)
    }
  }
}

function sayWhatToOpen({ config, terminal }: Starting, dev: DevFile, afterStories: boolean): void {
  const input = '{type:\\"hello\\",recipient:{email:\\"you@example.com\\"},subject:\\"Hello\\",body:\\"It works.\\"}'
  const pages = [
    ...(config.SMTP_URL ? [] : [[`${dev.url}/dev/mailbox`, 'what was sent, as people would see it']]),
    [dev.graphqlUrl, 'the API, to try by hand'],
    [shown(devFilePath(config.CARILLON_DATA_DIR)), 'its address and an API key, for tools'],
  ]
  if (!afterStories) terminal.line()
  terminal.line('Open')
  for (const line of columns(pages)) terminal.line(`  ${line}`)
  terminal.line()
  terminal.line('Paste')
  terminal.line(`  curl -s ${dev.graphqlUrl} -H 'content-type: application/json' \\`)
  terminal.line(`    -H 'authorization: Bearer ${dev.apiKey}' \\`)
  terminal.line(`    -d '{"query":"mutation{sendNotification(input:${input}){id status}}"}'`)
  terminal.line('or')
  terminal.line(`  npx carillon send --template document_approved --to you@example.com --data '{"document":"RFC-088"}'`)
  terminal.line()
}

function sayStep(terminal: Terminal, what: string, how: string): void {
  terminal.line(`  ${what.padEnd(10)}${how}`)
}

const shown = (path: string): string => {
  const fromHere = relative(process.cwd(), path)
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere
}
