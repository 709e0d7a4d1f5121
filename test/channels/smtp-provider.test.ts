import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer } from 'smtp-server'
import { createSmtpProvider, type SmtpSettings } from '../../src/channels/email/smtp-provider.ts'
import type { Attachment, Message } from '../../src/domain/message.ts'
import { testClock } from '../support/test-clock.ts'
import { startHttpServer } from './support/fake-http-server.ts'
import { startSmtpServer } from './support/fake-smtp-server.ts'
import { localhostTls } from './support/localhost-tls.ts'
import { testMessage } from './support/test-message.ts'

const never = new AbortController().signal
const clock = testClock('2026-05-01T12:34:56Z')

interface ReceivedMail {
  from: string
  to: string[]
  raw: string
  mail: Email
}

/** A real SMTP server that takes everything and parses it. */
async function startMailServer() {
  const received: ReceivedMail[] = []
  const sessions = new Set<string>()
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, callback) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', async () => {
        const raw = Buffer.concat(chunks).toString('utf8')
        const { mailFrom, rcptTo } = session.envelope
        sessions.add(session.id)
        const from = mailFrom ? mailFrom.address : ''
        received.push({ from, to: rcptTo.map(({ address }) => address), raw, mail: await PostalMime.parse(raw) })
        callback()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`,
    received,
    sessions,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => server.close(resolve))
    },
  }
}

function provide(url: string, over: Partial<SmtpSettings> = {}) {
  return createSmtpProvider({ url, from: 'Glöckner <bells@carillon.example>', timeoutMs: 2_000, ...over }, clock)
}

async function deliver(over: Partial<Message>, settings: Partial<SmtpSettings> = {}) {
  await using server = await startMailServer()
  const provider = provide(server.url, settings)
  const outcome = await provider.send(testMessage('email', over), never)
  await provider.close()
  return { outcome, received: server.received }
}

test('a mail arrives as it was written: subject, text, HTML, sender, recipient, date', async () => {
  const { outcome, received } = await deliver({ subject: 'Grüße 🔔 '.repeat(20).trim() })
  assert.equal(outcome.kind, 'accepted')
  const [{ from, to, mail }] = received as [ReceivedMail]
  assert.equal(from, 'bells@carillon.example')
  assert.deepEqual(to, ['quasimodo@belfry.example'])
  assert.equal(mail.subject, 'Grüße 🔔 '.repeat(20).trim())
  assert.equal(mail.text?.trim(), testMessage('email').body)
  assert.equal(mail.html?.trim(), testMessage('email').bodyHtml)
  assert.deepEqual(mail.from, { name: 'Glöckner', address: 'bells@carillon.example' })
  assert.deepEqual(mail.to, [{ name: 'Quasimodo Frollo', address: 'quasimodo@belfry.example' }])
  assert.equal(mail.date, '2026-05-01T12:34:56.000Z')
})

test('copies and reply-to: cc is seen by all, bcc only by the envelope', async () => {
  const email = { cc: ['Claude <claude@d.example>'], bcc: ['hidden@d.example'], replyTo: 'Desk <desk@d.example>' }
  const { received } = await deliver({ email })
  const [{ to, mail, raw }, copies] = received as [ReceivedMail, ReceivedMail]
  assert.deepEqual(to, ['quasimodo@belfry.example'])
  assert.deepEqual(copies.to, ['claude@d.example', 'hidden@d.example'])
  assert.equal(copies.mail.messageId, mail.messageId)
  assert.deepEqual(mail.cc, [{ name: 'Claude', address: 'claude@d.example' }])
  assert.deepEqual(mail.replyTo, [{ name: 'Desk', address: 'desk@d.example' }])
  assert.doesNotMatch(raw, /hidden|bcc/i)
})

test('copies go to nobody while the recipient is refused', async () => {
  await using server = await startSmtpServer({ rcpt: ['451 4.7.1 later'] })
  const provider = provide(`smtp://127.0.0.1:${server.port}`)
  const email = { cc: ['claude@d.example'], bcc: ['hidden@d.example'] }
  const outcome = await provider.send(testMessage('email', { email }), never)
  await provider.close()
  assert.equal(outcome.kind, 'rejected')
  assert.deepEqual(server.commands.filter((command) => /^(RCPT|DATA)/i.test(command)).length, 1)
})

test('a mail may be text only, HTML only, or neither', async () => {
  const text = (await deliver({ bodyHtml: undefined })).received[0]!.mail
  assert.equal(text.html, undefined)
  const html = (await deliver({ body: undefined })).received[0]!.mail
  assert.equal(html.text, undefined)
  const empty = await deliver({ body: undefined, bodyHtml: undefined })
  assert.equal(empty.outcome.kind, 'accepted')
})

test('a try after a try has the same Message-ID', async () => {
  await using server = await startMailServer()
  const provider = provide(server.url)
  for (const attempt of [1, 2]) await provider.send(testMessage('email', { attempt }), never)
  await provider.close()
  const [first, second] = server.received
  assert.equal(first!.mail.messageId, `<${testMessage('email').deliveryId}@carillon.example>`)
  assert.equal(second!.mail.messageId, first!.mail.messageId)
  assert.equal(server.sessions.size, 1, 'over one pooled connection')
})

test('lines that begin with a dot, and one of a dot alone, arrive as they are', async () => {
  const body = 'one\r\n.\r\n..two\r\n.three\r\nRSET\r\n'
  const { received } = await deliver({ body, bodyHtml: undefined })
  assert.equal(received.length, 1)
  assert.equal(received[0]!.mail.text?.trim(), body.trim().replaceAll('\r\n', '\n'))
})

test('a header cannot be injected: the server is not even spoken to', async () => {
  for (const over of [
    { subject: 'Hello\r\nBcc: victim@d.example' },
    { recipientName: 'Anna\nBcc: victim@d.example' },
    { address: 'a@b.example>\r\nRCPT TO:<victim@d.example' },
    { email: { cc: ['c@d.example\r\nBcc: victim@d.example'] } },
  ]) {
    const { outcome, received } = await deliver(over)
    assert.equal(outcome.kind, 'rejected')
    assert.equal(received.length, 0)
  }
})

test('what looks like a header in a subject stays a subject', async () => {
  const subject = 'Hello =0D=0ABcc: =?utf-8?Q?=0D=0ABcc=3A_victim=40d.example?= \u2028Bcc: x'
  const { received } = await deliver({ subject })
  const [{ to, mail }] = received as [ReceivedMail]
  assert.equal(to.length, 1)
  assert.equal(mail.bcc, undefined)
  assert.ok(!mail.headers.some(({ key }) => key === 'bcc'))
})

test('the hook brings further headers of a message in', async () => {
  const extraHeaders = ({ deliveryId }: Message) => ({ 'List-Unsubscribe': `<https://x.example/u/${deliveryId}>` })
  const { received } = await deliver({}, { extraHeaders })
  const header = received[0]!.mail.headers.find(({ key }) => key === 'list-unsubscribe')
  assert.equal(header?.value, `<https://x.example/u/${testMessage('email').deliveryId}>`)
})

const bytes = Buffer.from([0, 1, 2, 255, 13, 10, 46, 13, 10])

test('attachments arrive byte for byte: carried ones, fetched ones, and inline images', async () => {
  await using files = await startHttpServer((response) => response.end('fetched'), { tls: true })
  const { outcome, received } = await deliver(
    {
      bodyHtml: '<img src="cid:logo">',
      email: {
        attachments: [
          { filename: 'Größe.bin', contentType: 'application/x-bells', contentBase64: bytes.toString('base64') },
          { filename: 'logo.png', contentType: 'image/png', contentId: 'logo', contentBase64: 'iVBORw==' },
          { filename: 'invoice.pdf', url: `${files.url}/invoice?id=1` },
        ],
      },
    },
    {
      attachments: {
        allowedHosts: ['localhost'],
        maxBytes: 1_000,
        allowPrivateAddresses: true,
        ca: localhostTls.cert,
      },
    },
  )
  assert.equal(outcome.kind, 'accepted')
  const found = received[0]!.mail.attachments.map(({ filename, mimeType, contentId, content }) => ({
    filename,
    mimeType,
    contentId,
    content: Buffer.from(content as ArrayBuffer).toString('hex'),
  }))
  assert.deepEqual(
    found.sort((a, b) => (a.filename! < b.filename! ? -1 : 1)),
    [
      { filename: 'Größe.bin', mimeType: 'application/x-bells', contentId: undefined, content: bytes.toString('hex') },
      {
        filename: 'invoice.pdf',
        mimeType: 'application/pdf',
        contentId: undefined,
        content: Buffer.from('fetched').toString('hex'),
      },
      { filename: 'logo.png', mimeType: 'image/png', contentId: '<logo>', content: '89504e47' },
    ],
  )
  assert.equal(files.received[0]!.url, '/invoice?id=1')
})

type Files = Parameters<typeof startHttpServer>[0]
const fetches: [
  what: string,
  attachment: (url: string) => Partial<Attachment>,
  files: Files,
  expected: [reason: string, retryable: boolean],
  over?: Partial<NonNullable<SmtpSettings['attachments']>>,
][] = [
  ['another host', () => ({ url: 'https://evil.example/' }), (r) => r.end(), ['content_refused', false]],
  ['plain http', (url) => ({ url: url.replace('https', 'http') }), (r) => r.end(), ['content_refused', false]],
  ['a file URL', () => ({ url: 'file:///etc/passwd' }), (r) => r.end(), ['content_refused', false]],
  ['credentials', (url) => ({ url: url.replace('//', '//a:b@') }), (r) => r.end(), ['content_refused', false]],
  ['neither content nor URL', () => ({}), (r) => r.end(), ['content_refused', false]],
  ['no base64', () => ({ contentBase64: '$$$' }), (r) => r.end(), ['content_refused', false]],
  ['too much carried', () => ({ contentBase64: 'A'.repeat(400) }), (r) => r.end(), ['content_refused', false]],
  ['too much fetched', (url) => ({ url }), (r) => r.end('x'.repeat(300)), ['content_refused', false]],
  ['an endless body', (url) => ({ url }), (r) => pour(r), ['content_refused', false]],
  ['a redirect', (url) => ({ url }), (r) => r.writeHead(302, { location: '/' }).end(), ['content_refused', false]],
  ['no such file', (url) => ({ url }), (r) => r.writeHead(404).end(), ['content_refused', false]],
  ['a server fault', (url) => ({ url }), (r) => r.writeHead(500).end(), ['transient', true]],
  ['a hang', (url) => ({ url }), () => {}, ['transient', true]],
  ['a hang in the body', (url) => ({ url }), (r) => r.writeHead(200).write('half'), ['transient', true]],
  ['a close', (url) => ({ url }), (r) => r.socket?.destroy(), ['transient', true]],
  ['a close in the body', (url) => ({ url }), (r) => breakOff(r), ['transient', true]],
  [
    'a private address behind an allowed host',
    (url) => ({ url }),
    (r) => r.end(),
    ['content_refused', false],
    { allowPrivateAddresses: false },
  ],
]

function pour(response: Parameters<Files>[0]): void {
  response.on('drain', () => pour(response))
  while (!response.destroyed && response.write('x'.repeat(10_000)));
}

function breakOff(response: Parameters<Files>[0]): void {
  response.writeHead(200, { 'content-length': 100 })
  response.write('half', () => response.socket?.destroy())
}

for (const [what, attachment, handle, [reason, retryable], over] of fetches) {
  test(`an attachment with ${what} is ${reason}, and nothing is mailed`, async () => {
    await using files = await startHttpServer(handle, { tls: true })
    const { outcome, received } = await deliver(
      { email: { attachments: [{ filename: 'a', ...attachment(files.url) }] } },
      {
        timeoutMs: 400,
        attachments: {
          allowedHosts: ['localhost'],
          maxBytes: 200,
          allowPrivateAddresses: true,
          ca: localhostTls.cert,
          ...over,
        },
      },
    )
    assert.equal(outcome.kind, 'rejected')
    assert.equal(outcome.reason, reason)
    assert.equal(outcome.retryable, retryable)
    assert.doesNotMatch(outcome.detail, /localhost|evil|passwd|127/)
    assert.equal(received.length, 0)
  })
}

test('without an id of the server, the Message-ID stands for the message', async () => {
  const { outcome } = await deliver({})
  const providerMessageId = `<${testMessage('email').deliveryId}@carillon.example>`
  assert.deepEqual(outcome, { kind: 'accepted', providerMessageId })
})

test('a message refused for its recipient leaves the connection to the next one', async () => {
  await using server = await startSmtpServer({ rcpt: ['550 5.1.1 no', '250 ok'] })
  const provider = provide(`smtp://127.0.0.1:${server.port}`, { maxConnections: 1 })
  const outcomes = await Promise.all([1, 2].map(() => provider.send(testMessage('email'), never)))
  await provider.close()
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['rejected', 'accepted'],
  )
})

test('a pooled connection that the server has closed is replaced, before anything of the message was sent', async () => {
  await using server = await startSmtpServer({ mail: ['250 ok', 'reset', '250 ok'] })
  const provider = provide(`smtp://127.0.0.1:${server.port}`, { maxConnections: 1 })
  assert.equal((await provider.send(testMessage('email'), never)).kind, 'accepted')
  assert.equal((await provider.send(testMessage('email'), never)).kind, 'accepted')
  await provider.close()
  assert.equal(server.commands.filter((verb) => verb === 'DATA').length, 2)
})

test('a message that had left is not sent again by the pool, on a new connection or a used one', async () => {
  await using server = await startSmtpServer({ end: ['reset', '250 ok', 'reset'] })
  const provider = provide(`smtp://127.0.0.1:${server.port}`, { maxConnections: 1 })
  const kinds: string[] = []
  for (let n = 0; n < 3; n++) kinds.push((await provider.send(testMessage('email'), never)).kind)
  await provider.close()
  assert.deepEqual(kinds, ['unknown', 'accepted', 'unknown'])
  assert.equal(server.commands.filter((verb) => verb === 'DATA').length, 3)
})

test('a message larger than the server reads is not taken for sent', async () => {
  await using server = await startSmtpServer({ stopsReading: true })
  const provider = provide(`smtp://127.0.0.1:${server.port}`, { timeoutMs: 300 })
  const outcome = await provider.send(testMessage('email', { body: 'x '.repeat(10_000_000) }), never)
  await provider.close()
  assert.deepEqual(outcome, { kind: 'rejected', reason: 'transient', retryable: true, detail: 'not sent (timeout)' })
})

test('a password is not sent in the clear unless the URL says so', async () => {
  await using server = await startSmtpServer({})
  const provider = provide(`smtp://quasimodo:hunter2@127.0.0.1:${server.port}`)
  const outcome = await provider.send(testMessage('email'), never)
  await provider.close()
  assert.equal(outcome.kind === 'rejected' && outcome.reason, 'misconfigured')
  assert.match(outcome.detail ?? '', /requireTLS=false/)
  assert.deepEqual(server.commands, ['EHLO', 'STARTTLS'])
  assert.doesNotMatch(JSON.stringify(outcome), /hunter2|quasimodo/)
})

test('a sender that is no address is a mistake of the set-up and is thrown at once', () => {
  assert.throws(() => provide('smtp://127.0.0.1', { from: 'Bells\r\nX: y <a@b.example>' }), /no e-mail address/)
})
