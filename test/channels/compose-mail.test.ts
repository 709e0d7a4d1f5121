import assert from 'node:assert/strict'
import { test } from 'node:test'
import PostalMime from 'postal-mime'
import { composeMail, type MailAttachment, renderMail } from '../../src/channels/compose-mail.ts'
import { parseMailbox } from '../../src/channels/mail-address.ts'
import type { Message } from '../../src/domain/message.ts'
import { testMessage } from './support/test-message.ts'

const from = { name: 'Bells', address: 'bells@carillon.example' }
const date = new Date('2026-05-01T12:00:00Z')

function compose(over: Partial<Message>, attachments: MailAttachment[] = [], headers: Record<string, string> = {}) {
  return composeMail(testMessage('email', over), { from, date, attachments, headers })
}

async function render(over: Partial<Message>, attachments: MailAttachment[] = [], headers = {}): Promise<string> {
  const composed = compose(over, attachments, headers)
  assert.equal(composed.kind, 'composed')
  return (await renderMail(composed.mail)).toString('utf8')
}

const mailboxes: [text: string, name: string | undefined, address?: string][] = [
  ['a@b.example', '', 'a@b.example'],
  ['Anna <a@b.example>', 'Anna', 'a@b.example'],
  ['"Berg, Anna" <a@b.example>', 'Berg, Anna', 'a@b.example'],
  ['<a@b.example>', '', 'a@b.example'],
  ['a+tag@BÜCHER.example', '', 'a+tag@xn--bcher-kva.example'],
  ['', undefined],
  ['a', undefined],
  ['a@', undefined],
  ['@b.example', undefined],
  ['a@b@c.example', undefined],
  ['a@b.example, c@d.example', undefined],
  ['a@b.example>,<c@d.example', undefined],
  ['a b@c.example', undefined],
  ['a@b.example\r\nBcc: c@d.example', undefined],
  ['a@b.example\n', undefined],
  ['a\0@b.example', undefined],
  ['Anna\r\nX: y <a@b.example>', undefined],
]
for (const [text, name, address] of mailboxes) {
  test(`${JSON.stringify(text)} is ${address ?? 'no mailbox'}`, () => {
    assert.deepEqual(parseMailbox(text), name === undefined ? undefined : { name, address })
  })
}

const file = { filename: 'a.txt', content: Buffer.from('a') }
const breaks = ['\r\nX-Evil: 1', '\nX-Evil: 1', '\rX-Evil: 1', '\0', '\r\n\r\nbody']
const fields: [what: string, reason: string, attempt: (evil: string) => ReturnType<typeof composeMail>][] = [
  ['address', 'invalid_recipient', (evil) => compose({ address: `a@b.example${evil}` })],
  ['address, in front', 'invalid_recipient', (evil) => compose({ address: `a${evil}@b.example` })],
  ['subject', 'content_refused', (evil) => compose({ subject: `Hello${evil}` })],
  ["recipient's name", 'content_refused', (evil) => compose({ recipientName: `Anna${evil}` })],
  ['cc', 'content_refused', (evil) => compose({ email: { cc: ['c@d.example', `c@d.example${evil}`] } })],
  ['bcc', 'content_refused', (evil) => compose({ email: { bcc: [`${evil}c@d.example`] } })],
  ['reply-to', 'content_refused', (evil) => compose({ email: { replyTo: `Desk${evil} <c@d.example>` } })],
  ['filename', 'content_refused', (evil) => compose({}, [{ ...file, filename: `a${evil}.txt` }])],
  ['content type', 'content_refused', (evil) => compose({}, [{ ...file, contentType: `text/plain${evil}` }])],
  ['content id', 'content_refused', (evil) => compose({}, [{ ...file, contentId: `logo${evil}` }])],
  ['further header', 'content_refused', (evil) => compose({}, [], { 'List-Unsubscribe': `<https://x>${evil}` })],
  ["further header's name", 'content_refused', (evil) => compose({}, [], { [`List-${evil}`]: 'x' })],
]
for (const [what, reason, attempt] of fields) {
  test(`a line break or NUL in the ${what} is ${reason}`, () => {
    for (const evil of breaks) {
      const composed = attempt(evil)
      assert.equal(composed.kind, 'refused', JSON.stringify(evil))
      assert.equal(composed.outcome.reason, reason)
      assert.equal(composed.outcome.retryable, false)
    }
  })
}

test('every mail says that a program wrote it, and which delivery it is', async () => {
  const { headers, messageId } = await PostalMime.parse(await render({}))
  const values = Object.fromEntries(headers.map(({ key, value }) => [key, value]))
  const { deliveryId } = testMessage('email')
  assert.equal(values['auto-submitted'], 'auto-generated')
  assert.equal(values['x-auto-response-suppress'], 'OOF, AutoReply')
  assert.equal(values['x-carillon-delivery'], deliveryId)
  assert.equal(messageId, `<${deliveryId}@carillon.example>`)
  assert.equal(values['x-mailer'], undefined)
})

test('further headers come through, and do not replace ours', async () => {
  const url = `<https://carillon.example/unsubscribe/${'x'.repeat(200)}>`
  const text = await render({}, [], { 'List-Unsubscribe': url, 'Auto-Submitted': 'no' })
  const { headers } = await PostalMime.parse(text)
  assert.equal(headers.find(({ key }) => key === 'list-unsubscribe')?.value, url)
  assert.deepEqual(
    headers.filter(({ key }) => key === 'auto-submitted').map(({ value }) => value),
    ['auto-generated'],
  )
})

test('a path or a URL in the content is text and is not read', async () => {
  const { text } = await PostalMime.parse(await render({ body: '/etc/passwd', bodyHtml: undefined }))
  assert.equal(text?.trim(), '/etc/passwd')
})

test('bcc is in the envelope and in no header', async () => {
  const over = { email: { cc: ['c@d.example'], bcc: ['hidden@d.example', 'c@d.example'] } }
  const composed = compose(over)
  assert.ok(composed.kind === 'composed')
  assert.deepEqual(composed.mail.envelope, {
    from: 'bells@carillon.example',
    to: ['quasimodo@belfry.example', 'c@d.example', 'hidden@d.example'],
  })
  assert.doesNotMatch(await render(over), /hidden|bcc/i)
})

test('a link to unsubscribe is told to mail programs, whole on its line', async () => {
  const unsubscribeUrl = `https://bells.example/u/${'x'.repeat(300)}`
  const raw = await render({ unsubscribeUrl })
  assert.ok(
    raw.includes(`List-Unsubscribe: <${unsubscribeUrl}>\r\n`) ||
      raw.includes(`List-Unsubscribe:\r\n <${unsubscribeUrl}>\r\n`),
  )
  assert.match(raw, /^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r$/m)
  assert.doesNotMatch(await render({}), /List-Unsubscribe/)
  const open = await render({ unsubscribeUrl: 'http://localhost:4000/u/x' })
  assert.match(open, /^List-Unsubscribe: <http:/m)
  assert.doesNotMatch(open, /List-Unsubscribe-Post/)
})
