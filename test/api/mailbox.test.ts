import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createCaptureMailbox } from '../../src/channels/capture/capture-mailbox.ts'
import type { Message } from '../../src/domain/message.ts'
import { systemClock } from '../../src/platform/clock.ts'
import { createApiWorld } from './api-world.ts'

const directory = await mkdtemp(join(tmpdir(), 'mailbox-'))
after(() => rm(directory, { recursive: true, force: true }))
const mailbox = createCaptureMailbox({ directory, clock: systemClock })
const world = await createApiWorld({ mailbox })

const message = (changes: Partial<Message>): Message => ({
  deliveryId: world.ids.id(),
  notificationId: world.ids.id(),
  tenantId: world.tenant,
  channel: 'email',
  attempt: 1,
  type: 'test.happened',
  address: 'ann@example.com',
  recipientId: 'ann',
  subject: 'Hello',
  data: {},
  metadata: {},
  createdAt: systemClock.now().toISOString(),
  ...changes,
})
const id = await mailbox.add(
  message({
    subject: '<script>alert(1)</script>',
    body: 'plain & simple',
    bodyHtml: '<b>bold</b><script>alert(2)</script>',
  }),
  'From: x',
)
await mailbox.add(message({ channel: 'sms', subject: undefined, body: 'A text', address: '+4912345' }))
await mailbox.add(message({ tenantId: world.otherTenant, subject: 'of another tenant' }))

describe('the mailbox', () => {
  it('lists what was captured, and escapes it', async () => {
    const response = await fetch(`${world.url}/dev/mailbox`)
    const html = await response.text()
    assert.match(response.headers.get('content-security-policy')!, /default-src 'none'/)
    assert.ok(html.includes('ann@example.com') && html.includes('A text'))
    assert.ok(!html.includes('<script>'))
  })

  it('lists one channel', async () => {
    const html = await (await fetch(`${world.url}/dev/mailbox?channel=sms`)).text()
    assert.ok(html.includes('A text') && !html.includes('ann@example.com'))
  })

  it('shows one message, with its HTML in a frame that can do nothing', async () => {
    const html = await (await fetch(`${world.url}/dev/mailbox/${id}`)).text()
    assert.ok(html.includes('plain &#38; simple') && html.includes('From: x'))
    assert.ok(!html.includes('<script>'))
    assert.match(html, /<iframe sandbox src=/)
    const frame = await fetch(`${world.url}/dev/mailbox/${id}/html`)
    assert.match(frame.headers.get('content-security-policy')!, /sandbox/)
    assert.equal(await frame.text(), '<b>bold</b><script>alert(2)</script>')
    assert.equal((await fetch(`${world.url}/dev/mailbox/nonsense`)).status, 404)
  })

  it('is a query too, of the messages of the tenant that asks', async () => {
    const { capturedMessages } = await world.data(`{ capturedMessages { id channel address subject body } }`)
    assert.deepEqual(
      capturedMessages.map(({ channel }: { channel: string }) => channel),
      ['SMS', 'EMAIL'],
    )
    assert.equal(capturedMessages[1].id, id)
  })

  it('is not there in production', async () => {
    const env = { NODE_ENV: 'production', DATABASE_URL: world.url.replace('http', 'postgres') }
    const production = await createApiWorld({ mailbox, env })
    assert.equal((await fetch(`${production.url}/dev/mailbox`)).status, 404)
    assert.equal((await production.error(`{ capturedMessages { id } }`)).extensions.code, 'NOT_FOUND')
    assert.equal((await fetch(`${production.url}/graphql`, { headers: { accept: 'text/html' } })).status, 401)
  })
})

describe('GraphiQL', () => {
  it('is a page outside production', async () => {
    const response = await fetch(`${world.url}/graphql`, { headers: { accept: 'text/html' } })
    assert.equal(response.status, 200)
    assert.match(await response.text(), /graphiql/i)
  })
})
