import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { validateSend } from '../../src/pipeline/accept/validate-send.ts'
import { testClock } from '../support/test-clock.ts'

const now = testClock().now()
const inMs = (ms: number) => new Date(now.getTime() + ms).toISOString()
const dayMs = 86_400_000
const deep = (levels: number): object => (levels === 0 ? {} : { in: deep(levels - 1) })

/** As GraphQL hands it over: enum values in their inner form. */
const base = { type: 'a.b', recipient: { type: 'user', id: 'ann' }, subject: 'Hello' }
const judge = (changes: object, single = true) =>
  validateSend({ ...base, ...changes }, { tenantId: 't' }, now, { path: ['input'], single })

const refused: [name: string, changes: object, path: string, single?: boolean][] = [
  ['no type', { type: '' }, 'type'],
  ['a type with a space', { type: 'a b' }, 'type'],
  ['a type of 201 characters', { type: 'a'.repeat(201) }, 'type'],
  ['no recipient', { recipient: null }, 'recipient'],
  ['recipients in the single form', { recipient: null, recipients: [{ id: 'a' }] }, 'recipients'],
  ['both recipient and recipients', { recipients: [{ id: 'a' }] }, 'recipient', false],
  ['no recipients', { recipient: null, recipients: [] }, 'recipients', false],
  ['1001 recipients', { recipient: null, recipients: Array(1_001).fill({ id: 'a' }) }, 'recipients', false],
  ['a fault in the second recipient', { recipient: null, recipients: [{ id: 'a' }, {}] }, 'recipients.1', false],
  ['a recipient without id and address', { recipient: { type: 'user', name: 'Ann' } }, 'recipient'],
  ['a recipient with an empty id', { recipient: { id: '' } }, 'recipient'],
  ['a role without an id', { recipient: { type: 'role', email: 'a@b.c' } }, 'recipient.id'],
  ['a malformed e-mail', { recipient: { email: 'a b@c' } }, 'recipient.email'],
  ['an e-mail with a line break', { recipient: { email: 'a@b.c\r\nBcc: x@y.z' } }, 'recipient.email'],
  ['a name with a line break', { recipient: { id: 'a', name: 'A\nB' } }, 'recipient.name'],
  ['a name with a NUL', { recipient: { id: 'a', name: 'A\0B' } }, 'recipient.name'],
  ['a webhook that is no URL', { recipient: { webhookUrl: 'ftp://x' } }, 'recipient.webhookUrl'],
  ['an unknown time zone', { recipient: { id: 'a', timezone: 'Mars/Base' } }, 'recipient.timezone'],
  ['an offset as a time zone', { recipient: { id: 'a', timezone: '+02:00' } }, 'recipient.timezone'],
  ['a malformed locale', { recipient: { id: 'a', locale: 'not a locale' } }, 'recipient.locale'],
  ['an id of 256 characters', { recipient: { id: 'a'.repeat(256) } }, 'recipient.id'],
  ['a field of 2049 characters', { recipient: { phone: '1'.repeat(2_049) } }, 'recipient.phone'],
  ['neither template nor content', { subject: null }, 'template'],
  ['template and content', { template: 'hello' }, 'template'],
  ['an empty template name', { subject: null, template: '' }, 'template'],
  ['a subject of two lines', { subject: 'a\nb' }, 'subject'],
  ['a body with a NUL', { body: 'a\0' }, 'body'],
  ['half a character', { body: '\ud800' }, 'body'],
  ['data that is a list', { data: [] }, 'data'],
  ['data with a NUL deep inside', { data: { a: [{ b: '\0' }] } }, 'data'],
  ['data with a NUL in a key', { data: { 'a\0': 1 } }, 'data'],
  ['data too deep for the database', { data: deep(100) }, 'data'],
  ['metadata that is text', { metadata: 'x' }, 'metadata'],
  ['more than 1 MiB in all', { body: 'a'.repeat(600_000), bodyHtml: 'a'.repeat(600_000) }, 'data'],
  ['no channels', { channels: [] }, 'channels'],
  ['an empty key', { idempotencyKey: '' }, 'idempotencyKey'],
  ['a key of 256 characters', { idempotencyKey: 'k'.repeat(256) }, 'idempotencyKey'],
  ['a category of 201 characters', { category: 'c'.repeat(201) }, 'category'],
  ['an event id of 256 characters', { eventId: 'e'.repeat(256) }, 'eventId'],
  ['a correlation id of 256 characters', { correlationId: 'c'.repeat(256) }, 'correlationId'],
  ['a moment without an offset', { scheduledAt: '2026-01-16T10:00:00' }, 'scheduledAt'],
  ['a day that is none', { scheduledAt: '2026-02-30T10:00:00Z' }, 'scheduledAt'],
  ['a schedule of 367 days', { scheduledAt: inMs(367 * dayMs) }, 'scheduledAt'],
  ['an expiry in the past', { expiresAt: inMs(-1) }, 'expiresAt'],
  ['an expiry before the schedule', { scheduledAt: inMs(dayMs), expiresAt: inMs(dayMs - 1) }, 'expiresAt'],
  ['a schedule that says nothing', { schedule: {} }, 'schedule'],
  ['a delay of part of a second', { schedule: { delay: 1.5 } }, 'schedule.delay'],
  ['a delay back in time', { schedule: { delay: -1 } }, 'schedule.delay'],
  ['a delay of 367 days', { schedule: { delay: 367 * 86_400 } }, 'schedule.delay'],
  ['a local time without minutes', { schedule: { localTime: '9' } }, 'schedule.localTime'],
  ['a local time of 24:00', { schedule: { localTime: '24:00' } }, 'schedule.localTime'],
  ['a zone of no local time', { schedule: { delay: 1, timezone: 'Europe/Berlin' } }, 'schedule.timezone'],
  ['a schedule in no zone', { schedule: { localTime: '09:00', timezone: 'Mars/Base' } }, 'schedule.timezone'],
  [
    'a window that has no length',
    { schedule: { sendWindow: { startTime: '09:00', endTime: '09:00' } } },
    'schedule.sendWindow.endTime',
  ],
  [
    'a window on the eighth day of the week',
    { schedule: { sendWindow: { startTime: '09:00', endTime: '17:00', days: [8] } } },
    'schedule.sendWindow.days.0',
  ],
  ['an expiry before the delay is over', { schedule: { delay: 60 }, expiresAt: inMs(60_000) }, 'expiresAt'],
  ['a copy to no address', { email: { cc: ['x'] } }, 'email.cc.0'],
  ['an attachment with nothing in it', { email: { attachments: [{ filename: 'a' }] } }, 'email.attachments.0'],
  [
    'an attachment that is not base64',
    { email: { attachments: [{ filename: 'a', contentBase64: '?' }] } },
    'email.attachments.0.contentBase64',
  ],
]

const accepted: [name: string, changes: object, single?: boolean][] = [
  ['an id alone', {}],
  ['an address alone', { recipient: { email: 'ann@example.com' } }],
  ['a role', { recipient: { type: 'role', id: 'ops' } }],
  ['a template', { subject: null, template: 'hello' }],
  ['an empty body', { body: '' }],
  ['255 characters that are 510 halves', { idempotencyKey: '🔔'.repeat(255) }],
  ['a schedule of 366 days', { scheduledAt: inMs(366 * dayMs) }],
  ['nine in the morning', { schedule: { localTime: '09:00' } }],
  ['an old name of a zone', { schedule: { localTime: '09:00', timezone: 'Asia/Calcutta' } }],
  ['working hours', { schedule: { sendWindow: { startTime: '09:00', endTime: '17:00', days: [1, 2, 3, 4, 5] } } }],
  ['a delay within the expiry', { schedule: { delay: 60 }, expiresAt: inMs(60_001) }],
  ['an offset', { scheduledAt: '2026-01-16T12:00:00+02:00' }],
  ['a schedule in the past', { scheduledAt: inMs(-dayMs) }],
  ['an old name of a zone', { recipient: { id: 'a', timezone: 'Asia/Calcutta' } }],
  ['a thousand recipients', { recipient: null, recipients: Array(1_000).fill({ id: 'a' }) }, false],
]

describe('a request to send is refused for', () => {
  for (const [name, changes, path, single] of refused) {
    it(`${name}, naming ${path}`, () => {
      const judged = judge(changes, single)
      assert.ok(!judged.ok)
      assert.equal(judged.faults[0]!.path.join('.'), `input.${path}`)
    })
  }
})

describe('a request to send may have', () => {
  for (const [name, changes, single] of accepted) {
    it(name, () => {
      const judged = judge(changes, single)
      assert.ok(judged.ok, JSON.stringify(judged))
    })
  }

  it('nulls, which are stored as nothing at all', () => {
    const judged = judge({ body: null, channels: null, data: null, recipient: { id: 'ann', email: null } })
    assert.ok(judged.ok)
    assert.deepEqual(JSON.parse(JSON.stringify(judged.intent.payload)), {
      recipients: [{ type: 'user', id: 'ann' }],
      subject: 'Hello',
      data: {},
      metadata: {},
    })
  })

  it('a schedule, which is stored in milliseconds', () => {
    const judged = judge({ schedule: { delay: 90, localTime: '09:00', timezone: null, sendWindow: null } })
    assert.ok(judged.ok)
    const { schedule } = JSON.parse(JSON.stringify(judged.intent.payload))
    assert.deepEqual(schedule, { delayMs: 90_000, localTime: '09:00' })
  })
})
