import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import type { Content } from '../../../src/pipeline/render/load-content.ts'
import { renderMessages, type TemplateParts } from '../../../src/pipeline/render/render-messages.ts'
import { createUnsubscribeLinks, type LinkOf } from '../../../src/pipeline/render/unsubscribe-links.ts'
import { createSettingsCatalogue } from '../../../src/store/tenant-settings.ts'
import { type TestClock, testClock } from '../../support/test-clock.ts'
import { createWorld, type World } from '../../support/world.ts'

let world: World
let clock: TestClock
let linkOf: LinkOf | undefined
const now = new Date('2026-11-20T12:00:00Z')

before(async () => {
  clock = testClock(now)
  world = await createWorld(clock)
  const settings = createSettingsCatalogue(world.worker, clock)
  linkOf = await createUnsubscribeLinks({ pool: world.worker, publicUrl: () => 'https://x.example', settings }).of(
    world.tenant,
  )
})

const template: TemplateParts = {
  version: '1',
  parts: {
    email: {
      subject: 's',
      body: 'b',
      body_html:
        '<% if (it.notification.unsubscribeUrl) { %><a href="<%= it.notification.unsubscribeUrl %>">no more</a><% } %>',
    },
    sms: { body: 'b' },
  },
}

function rendered(channel: 'email' | 'sms', category: string | null, recipientId = 'ann') {
  const id = deliveryId(notificationId(world.ids.intentId(), 1), channel)
  const about = {
    recipient_id: recipientId,
    recipient_name: null,
    locale: null,
    timezone: null,
    type: 'test.happened',
    category,
    template: 't',
    has_fallback: false,
    expires_at: null,
    vars: null,
    idempotency_key: null,
    correlation_id: null,
    traceparent: null,
    created_at: now.toISOString(),
  }
  const content: Content = {
    notification: () => about,
    payload: () => ({ recipients: [], template: 't', data: {}, metadata: {} }),
    endpoint: () => undefined,
  }
  const claim = { tenantId: world.tenant, deliveryId: id, channel, attempt: 1, address: 'ann@example.com' }
  return renderMessages([claim], content, () => template, now, linkOf)[0]!.message!
}

describe('the unsubscribe link of a message', () => {
  test('is that of its recipient and category, for its headers and its template', () => {
    const message = rendered('email', 'news')
    assert.match(message.unsubscribeUrl!, /^https:\/\/x\.example\/u\/[\w-]+$/)
    assert.equal(message.bodyHtml, `<a href="${message.unsubscribeUrl}">no more</a>`)
    assert.notEqual(rendered('email', 'tips').unsubscribeUrl, message.unsubscribeUrl)
    assert.notEqual(rendered('email', 'news', 'bea').unsubscribeUrl, message.unsubscribeUrl)
    assert.equal(rendered('email', 'news').unsubscribeUrl, message.unsubscribeUrl)
  })

  test('is not there without a category, on other channels, and where a header could not hold it', () => {
    for (const message of [rendered('email', null), rendered('sms', 'news'), rendered('email', 'x'.repeat(700))]) {
      assert.equal(message.unsubscribeUrl, undefined)
    }
    assert.equal(rendered('email', null).bodyHtml, '')
  })

  test('is not there for a category that is required, a second after it became so', async () => {
    const settings = createSettingsCatalogue(world.worker, clock)
    const links = createUnsubscribeLinks({ pool: world.worker, publicUrl: () => 'https://x.example/', settings })
    const linkNow = async (category: string) => (await links.of(world.tenant))!('ann', category)
    assert.match((await linkNow('security'))!, /^https:\/\/x\.example\/u\//)
    await world.admin.query(
      `insert into carillon.categories (tenant_id, name, required, marketing, enabled, frequency, on_excess, created_at, updated_at)
       values ($1, 'security', true, false, true, 'instant', 'snooze', now(), now())`,
      [world.tenant],
    )
    clock.advance(1_000)
    assert.equal(await linkNow('security'), undefined)
    assert.match((await linkNow('news'))!, /^https:\/\/x\.example\/u\//)
  })
})
