import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import PostalMime from 'postal-mime'
import { createCaptureMailbox } from '../../src/channels/capture/capture-mailbox.ts'
import { createCaptureProvider } from '../../src/channels/capture/capture-provider.ts'
import type { Channel } from '../../src/domain/channel.ts'
import { testClock } from '../support/test-clock.ts'
import { firstSecret, testMessage } from './support/test-message.ts'

const never = new AbortController().signal

async function useMailbox(keep?: number) {
  const parent = await mkdtemp(join(tmpdir(), 'carillon-capture-'))
  const directory = join(parent, 'mailbox')
  const clock = testClock()
  const open = () => createCaptureMailbox({ directory, keep, clock })
  return {
    directory,
    clock,
    open,
    mailbox: open(),
    [Symbol.asyncDispose]: () => rm(parent, { recursive: true }),
  }
}

test('a captured message can be read again, also after a restart', async () => {
  await using on = await useMailbox()
  const provider = createCaptureProvider('sms', on.mailbox, on.clock)
  const message = testMessage('sms', { address: '+491705551234', webhook: undefined })
  const outcome = await provider.send(message, never)
  assert.equal(provider.name, 'capture')
  assert.ok(outcome.kind === 'accepted' && outcome.providerMessageId)
  const expected = { id: outcome.providerMessageId, capturedAt: '2026-01-15T10:00:00.000Z', channel: 'sms', message }
  const plain = JSON.parse(JSON.stringify(expected))
  assert.deepEqual(await on.mailbox.get(outcome.providerMessageId), plain)
  assert.deepEqual(await on.open().list(), [plain])
})

test('the list is newest first, in pages, and of one channel when asked', async () => {
  await using on = await useMailbox()
  const ids: string[] = []
  for (const channel of ['sms', 'push', 'sms', 'slack', 'sms'] satisfies Channel[]) {
    ids.push(await on.mailbox.add(testMessage(channel))) // all in one millisecond
  }
  const listed = async (query: Parameters<typeof on.mailbox.list>[0]) =>
    (await on.mailbox.list(query)).map(({ id }) => ids.indexOf(id))
  assert.deepEqual(await listed({}), [4, 3, 2, 1, 0])
  assert.deepEqual(await listed({ limit: 2 }), [4, 3])
  assert.deepEqual(await listed({ limit: 2, before: ids[3]! }), [2, 1])
  assert.deepEqual(await listed({ channel: 'sms' }), [4, 2, 0])
  assert.deepEqual(await listed({ channel: 'sms', before: ids[2]! }), [0])
  assert.deepEqual(await listed({ channel: 'email' }), [])
})

test('past `keep` the oldest make room, those of an earlier run included', async () => {
  await using on = await useMailbox(3)
  for (const n of [1, 2, 3]) await on.mailbox.add(testMessage('sms', { attempt: n }))
  on.clock.advance(1_000)
  const reopened = on.open()
  await Promise.all([4, 5].map((n) => reopened.add(testMessage('sms', { attempt: n }))))
  const attempts = (await reopened.list()).map(({ message }) => message.attempt)
  assert.deepEqual(attempts.sort(), [3, 4, 5])
  assert.equal((await readdir(on.directory)).length, 3)
})

test('a message is one file that only its owner may read', async () => {
  await using on = await useMailbox()
  await on.mailbox.add(testMessage('sms'))
  const [name, ...others] = await readdir(on.directory)
  assert.deepEqual(others, [])
  assert.equal((await stat(join(on.directory, name!))).mode & 0o777, 0o600)
  assert.equal((await stat(on.directory)).mode & 0o777, 0o700)
})

test("a second attempt of the same delivery is a second file, and other people's files are left alone", async () => {
  await using on = await useMailbox(1)
  await on.mailbox.list()
  await writeFile(join(on.directory, 'README'), 'mine')
  const provider = createCaptureProvider('push', on.mailbox, on.clock)
  await provider.send(testMessage('push', { attempt: 1 }), never)
  await provider.send(testMessage('push', { attempt: 2 }), never)
  assert.deepEqual(
    (await on.mailbox.list()).map(({ message }) => message.attempt),
    [2],
  )
  assert.equal((await readdir(on.directory)).length, 2)
})

test('an e-mail is kept with the text that would have gone over the wire', async () => {
  await using on = await useMailbox()
  const provider = createCaptureProvider('email', on.mailbox, on.clock)
  const email = {
    attachments: [
      { filename: 'a.txt', contentBase64: Buffer.from('hello').toString('base64') },
      { filename: 'b.pdf', url: 'https://files.example/b.pdf' },
    ],
  }
  assert.equal((await provider.send(testMessage('email', { email }), never)).kind, 'accepted')
  const [captured] = await on.mailbox.list()
  const mail = await PostalMime.parse(captured!.eml!)
  assert.equal(mail.subject, testMessage('email').subject)
  assert.equal(mail.text?.trim(), testMessage('email').body)
  assert.deepEqual(
    mail.attachments.map(({ filename, content }) => [filename, Buffer.from(content as ArrayBuffer).toString()]),
    [
      ['a.txt', 'hello'],
      ['b.pdf.url.txt', 'https://files.example/b.pdf\n'],
    ],
  )
  assert.deepEqual(captured!.message.email?.attachments?.[0], { filename: 'a.txt' })
})

test('what SMTP would refuse, capturing refuses', async () => {
  await using on = await useMailbox()
  const provider = createCaptureProvider('email', on.mailbox, on.clock)
  const outcome = await provider.send(testMessage('email', { subject: 'a\r\nBcc: b@c.example' }), never)
  assert.equal(outcome.kind === 'rejected' && outcome.reason, 'content_refused')
  assert.deepEqual(await on.mailbox.list(), [])
})

test('signing secrets are not written', async () => {
  await using on = await useMailbox()
  await on.mailbox.add(testMessage('webhook'))
  const [name] = await readdir(on.directory)
  assert.ok(!(await readFile(join(on.directory, name!), 'utf8')).includes(firstSecret))
})

for (const id of ['', '../../etc/passwd', '019a0000-0000-7000-8000-000000000000', 'x'.repeat(10_000)]) {
  test(`the id ${JSON.stringify(id.slice(0, 40))} finds nothing`, async () => {
    await using on = await useMailbox()
    assert.equal(await on.mailbox.get(id), undefined)
  })
}

test('a directory that cannot be written to is a fault that passes, and the next message tries again', async () => {
  await using on = await useMailbox()
  const provider = createCaptureProvider('sms', on.mailbox, on.clock)
  await writeFile(on.directory, 'a file stands where the directory should be')
  assert.deepEqual(await provider.send(testMessage('sms'), never), {
    kind: 'rejected',
    reason: 'transient',
    retryable: true,
    detail: 'not captured (EEXIST)',
  })
  await rm(on.directory)
  assert.equal((await provider.send(testMessage('sms'), never)).kind, 'accepted')
})
