/** The three stories of the field, through the whole service on a real database, with a mailbox that captures. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { Webhook } from 'standardwebhooks'
import { type App, startApp } from '../../src/app.ts'
import { type CapturedMessage, createCaptureMailbox } from '../../src/channels/capture/capture-mailbox.ts'
import { type ApiClient, createApiClient } from '../../src/cli/client/api-client.ts'
import { followNotification } from '../../src/cli/client/follow-notification.ts'
import { type Demo, demoTenantId, prepareDemo } from '../../src/cli/demo/prepare-demo.ts'
import { readStories } from '../../src/cli/demo/stories.ts'
import { readConfig } from '../../src/config/config.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { startHttpServer } from '../channels/support/fake-http-server.ts'
import { testDatabase } from '../support/database.ts'

const database = await testDatabase()
const dataDir = await mkdtemp(join(tmpdir(), 'carillon-stories-'))
const mailbox = createCaptureMailbox({ directory: join(dataDir, 'mailbox'), clock: systemClock })
const pool = database.pool('carillon_worker')
let endpoint: Awaited<ReturnType<typeof startHttpServer>>
let app: App
let demo: Demo
let client: ApiClient

before(async () => {
  endpoint = await startHttpServer((response) => response.writeHead(204).end())
  demo = await prepareDemo(pool, { webhookUrl: endpoint.url, now: systemClock.now() })
  const config = readConfig({
    PORT: '0',
    CARILLON_DATA_DIR: dataDir,
    WEBHOOK_ALLOWED_HOSTS: new URL(endpoint.url).hostname,
  })
  app = await startApp({ config, databaseUrl: database.url, role: 'all', logger: pino({ level: 'silent' }) })
  client = createApiClient({ graphqlUrl: `${app.url}/graphql`, apiKey: demo.apiKey })
})

after(async () => {
  await app.stop()
  await endpoint[Symbol.asyncDispose]()
  await rm(dataDir, { recursive: true, force: true })
})

/** Sends a story, follows it to its end, and gives its end and what was captured of it. */
async function tell(name: string) {
  const [story] = await readStories(name)
  const lines: string[] = []
  const accepted = await client.send(story!.input)
  const last = await followNotification(client, accepted, {
    signal: AbortSignal.timeout(30_000),
    onChange: ({ channel, status }) => void lines.push(`${channel ?? ''} ${status}`),
  })
  const captured = (await mailbox.list()).filter(({ message }) => message.notificationId === accepted.id)
  const on = (channel: string): CapturedMessage | undefined => captured.find((message) => message.channel === channel)
  return { id: accepted.id, last, lines, on }
}

test('document_approved: the owner gets mail and a chat message, and there is a line in the audit log', async () => {
  const { id, last, lines, on } = await tell('document_approved')
  assert.equal(last.status, 'SENT')
  for (const line of ['EMAIL SENT', 'SLACK SENT', 'AUDIT SENT']) assert.ok(lines.includes(line), lines.join('\n'))
  const mail = on('email')
  assert.equal(mail?.message.address, 'alice@example.com')
  assert.equal(mail?.message.subject, 'RFC-087 has been approved')
  assert.match(mail?.message.body ?? '', /approved by Grace Hopper/)
  assert.match(mail?.message.bodyHtml ?? '', /prefers-color-scheme: dark/)
  assert.match(on('slack')?.message.body ?? '', /^:white_check_mark: \*RFC-087 has been approved\*/)
  const { rows } = await pool.query('select line from carillon.audit_log where tenant_id = $1 and id = $2', [
    demoTenantId,
    id,
  ])
  assert.equal(rows.length, 1)
  assert.equal(rows[0].line.type, 'document.approved')
  assert.equal(rows[0].line.data.document, 'RFC-087')
})

test('infrastructure-alert: whoever is on call gets mail and a webhook that the reference library verifies', async () => {
  const { id, last, on } = await tell('infrastructure-alert')
  assert.equal(last.status, 'SENT')
  assert.match(on('email')?.message.subject ?? '', /^\[CRITICAL\] orders-db: connection pool exhausted$/)
  const call = endpoint.received.at(-1)!
  const verified = new Webhook(demo.webhookSecrets[0]!).verify(call.body, call.headers as Record<string, string>)
  const { type, data } = verified as { type: string; data: { id: string; body: string } }
  assert.equal(type, 'infrastructure.alert')
  assert.equal(data.id, id)
  assert.match(data.body, /pool exhausted \(100 in use, 37 waiting\)/)
  const { rows } = await pool.query('select priority from carillon.notifications where tenant_id = $1 and id = $2', [
    demoTenantId,
    id,
  ])
  assert.equal(rows[0].priority, 3, 'CRITICAL')
})

test('order-shipped: the customer gets mail and an unread item in the inbox', async () => {
  const { id, last, on } = await tell('order-shipped')
  assert.equal(last.status, 'SENT')
  assert.equal(on('email')?.message.subject, 'A-1042 is on its way')
  const { rows } = await pool.query(
    'select title, read_at from carillon.inbox_items where tenant_id = $1 and recipient_id = $2 and carillon.notification_id_of(id) = $3',
    [demoTenantId, 'carol', id],
  )
  assert.deepEqual(rows, [{ title: 'A-1042 is on its way', read_at: null }])
})
