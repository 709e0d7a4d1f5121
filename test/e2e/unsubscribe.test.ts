/** From a mail's headers to a preference, through the whole service. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pino } from 'pino'
import PostalMime from 'postal-mime'
import { startApp } from '../../src/app.ts'
import { createCaptureMailbox } from '../../src/channels/capture/capture-mailbox.ts'
import { captureSettings } from '../../src/channels/settings.ts'
import { readConfig } from '../../src/config/config.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { apiKeyScopes, createApiKey } from '../../src/store/api-keys.ts'
import type { Data } from '../api/api-world.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const folder = await mkdtemp(join(tmpdir(), 'carillon-'))
const config = readConfig({
  NODE_ENV: 'test',
  PORT: '0',
  PUBLIC_URL: 'https://bells.example/carillon/',
  DATABASE_URL: world.url,
  CARILLON_DATA_DIR: folder,
  POLL_IDLE: '20ms',
})
const app = await startApp({ config, databaseUrl: world.url, role: 'all', logger: pino({ level: 'silent' }) })
after(async () => {
  await app.stop()
  await rm(folder, { recursive: true })
})
const { key } = await createApiKey(world.worker, {
  tenantId: world.tenant,
  name: 'a test',
  scopes: apiKeyScopes,
  now: new Date(),
})
const mailbox = createCaptureMailbox({ ...captureSettings(config)!, clock: systemClock })

async function ask(query: string, variables: object = {}): Promise<Data> {
  const response = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({ query, variables }),
  })
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown }
  assert.equal(errors, undefined)
  return data
}

const send = (subject: string, category: string | null) =>
  ask(`mutation ($input: SendNotificationInput!) { sendNotification(input: $input) { id } }`, {
    input: {
      type: 'shop.news',
      recipient: { id: 'ann', email: 'ann@example.com' },
      channels: ['EMAIL'],
      subject,
      body: 'Hello',
      category,
    },
  })

async function headersOf(subject: string): Promise<Record<string, string>> {
  const captured = await eventually(async () => {
    const found = (await mailbox.list({ limit: 50 })).find(({ message }) => message.subject === subject)
    assert.ok(found)
    return (await mailbox.get(found.id))!
  })
  const { headers } = await PostalMime.parse(captured.eml!)
  return Object.fromEntries(headers.map(({ key: name, value }) => [name, value]))
}

await ask(`mutation { upsertCategory(input: { name: "security", required: true }) { name } }`)

test('mail of a category names the link, and one click on it ends the category', async () => {
  await send('news', 'news')
  const headers = await headersOf('news')
  assert.equal(headers['list-unsubscribe-post'], 'List-Unsubscribe=One-Click')
  const [, path] = /^<https:\/\/bells\.example\/carillon(\/u\/[A-Za-z0-9_-]+)>$/.exec(headers['list-unsubscribe']!)!
  const response = await fetch(`${app.url}${path}`, {
    method: 'POST',
    body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }),
  })
  assert.equal(response.status, 200)
  const read = `{ userNotificationPreferences(userId: "ann") { categories updatedBy } }`
  assert.deepEqual((await ask(read)).userNotificationPreferences, {
    categories: { news: { enabled: false } },
    updatedBy: 'unsubscribe link',
  })
})

test('mail without a category, or of one that is required, names none', async () => {
  await send('plain', null)
  await send('alarm', 'security')
  for (const subject of ['plain', 'alarm']) {
    const headers = await headersOf(subject)
    assert.deepEqual([headers['list-unsubscribe'], headers['list-unsubscribe-post']], [undefined, undefined])
  }
})
