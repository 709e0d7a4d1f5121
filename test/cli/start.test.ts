import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { endLeftovers, type RunningCarillon, runCarillon, startCarillon } from './support/carillon-process.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'carillon-start-'))
const env = { CARILLON_DATA_DIR: dataDir }
let service: RunningCarillon
let apiKey = ''

after(async () => {
  await endLeftovers()
  await rm(dataDir, { recursive: true, force: true })
})

async function devFile() {
  return JSON.parse(await readFile(join(dataDir, 'dev.json'), 'utf8'))
}

async function mailbox(): Promise<string> {
  return (await fetch(`${service.url}/dev/mailbox`)).text()
}

test('the first start brings a database, tells the three stories to their end, and serves', async () => {
  service = await startCarillon(env)
  const out = service.out()
  for (const story of ['document_approved', 'infrastructure-alert', 'order-shipped'])
    assert.match(out, new RegExp(`^${story}$`, 'm'))
  assert.match(out, /EMAIL +sent +by capture/)
  assert.match(out, /WEBHOOK +infrastructure\.alert received by the demo, signature verified/)
  assert.match(out, /IN_APP +sent/)
  assert.doesNotMatch(out, /failed|retrying/)
  assert.match(out, new RegExp(`${service.url}/dev/mailbox`))
  assert.equal((await fetch(`${service.url}/health/ready`)).status, 200)
  assert.equal(service.err().includes('"level"'), false, 'no log line stands among what a newcomer reads')
})

test('dev.json holds what tools need, and is closed to other users', async () => {
  const dev = await devFile()
  assert.deepEqual(Object.keys(dev).sort(), ['apiKey', 'databaseUrl', 'graphqlUrl', 'tenantId', 'url'])
  assert.equal(dev.url, service.url)
  assert.equal((await stat(join(dataDir, 'dev.json'))).mode & 0o777, 0o600)
  apiKey = dev.apiKey
})

test('the curl that the first start prints sends a notification', async () => {
  const [, body = ''] = /-d '(.*)'$/m.exec(service.out()) ?? []
  const response = await fetch(`${service.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body,
  })
  const { data } = (await response.json()) as { data: { sendNotification: { status: string } } }
  assert.equal(data.sendNotification.status, 'PENDING')
})

test('carillon send follows a notification line by line until it ends, and it is in the mailbox', async () => {
  const words = [
    'send',
    '--template',
    'document_approved',
    '--to',
    'dora@example.com',
    '--data',
    '{"document":"RFC-099"}',
  ]
  const { code, out } = await runCarillon(words, env)
  assert.equal(code, 0)
  assert.match(out, /^accepted [0-9a-f-]{36}\n/)
  assert.match(out, /EMAIL +sent +by capture/)
  assert.match(out, /AUDIT +sent/)
  assert.match(out, /\nsent\n$/)
  const page = await mailbox()
  assert.match(page, /dora@example\.com/)
  assert.match(page, /RFC-099 has been approved/)
})

test('a notification that fails ends with exit code 1 and its reason', async () => {
  const { code, out } = await runCarillon(['send', '--template', 'no-such', '--to', 'dora@example.com'], env)
  assert.equal(code, 1)
  assert.match(out, /failed +template_not_found/)
})

test('carillon send answers machines with one JSON document a change', async () => {
  const words = ['send', '--subject', 'Hello', '--body', 'It works.', '--to', 'dora@example.com', '--json']
  const { code, out } = await runCarillon(words, env)
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.equal(code, 0)
  assert.equal(events.at(-1).event, 'ended')
  assert.equal(events.at(-1).status, 'SENT')
})

test('a wrong key is told in one line', async () => {
  const words = [
    'send',
    '--subject',
    'x',
    '--body',
    'x',
    '--to',
    'dora@example.com',
    '--url',
    service.url,
    '--api-key',
    'ck_no',
  ]
  const { code, err } = await runCarillon(words, env)
  assert.equal(code, 1)
  assert.match(err, /^carillon: the service refused: .*\(UNAUTHENTICATED\)\n$/)
})

test('doctor finds nothing wrong', async () => {
  const { code, out } = await runCarillon(['doctor'], env)
  assert.equal(code, 0, out)
  assert.doesNotMatch(out, /^(fail|warn)/m)
  for (const name of ['database', 'version', 'migrations', 'partitions', 'queue', 'disk'])
    assert.match(out, new RegExp(`^ok +${name}`, 'm'))
})

test('a port in use gives one clear line', async () => {
  const { port } = new URL(service.url)
  const { code, err } = await runCarillon(['start'], { CARILLON_DATA_DIR: join(dataDir, 'other'), PORT: port })
  assert.equal(code, 1)
  assert.match(err, new RegExp(`^carillon: 127\\.0\\.0\\.1:${port} is in use: .*PORT\\n$`))
})

test('a data directory in use gives one clear line', async () => {
  const { code, err } = await runCarillon(['start'], { ...env, PORT: '0' })
  assert.equal(code, 75)
  assert.match(err.trim().split('\n').at(-1)!, /^carillon: .* is in use by another Carillon/)
})

test('Ctrl-C ends it cleanly', async () => {
  service.kill('SIGINT')
  const { code, out } = await service.ended
  assert.equal(code, 0)
  assert.match(out, /^stopping: /m)
})

test('a tool that meets no service is told what to do', async () => {
  const { code, err } = await runCarillon(['send', '--subject', 'x', '--body', 'x', '--to', 'dora@example.com'], env)
  assert.equal(code, 69)
  assert.match(err, /^carillon: no service answers at .*carillon start/)
})

test('the second start finds its data and its key again, and tells no stories', async () => {
  service = await startCarillon(env)
  assert.doesNotMatch(service.out(), /Three stories/)
  assert.equal((await devFile()).apiKey, apiKey)
  assert.match(await mailbox(), /RFC-099 has been approved/)
  const { code, out } = await runCarillon(['stories', 'infrastructure-alert'], env)
  assert.equal(code, 0, out)
  assert.match(out, /WEBHOOK +sent +by webhook/)
  await service.line(/signature verified/)
})

test('a Postgres that dies ends the service with one line that says so', async () => {
  const pidFile = await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')
  process.kill(Number(pidFile.split('\n')[0]), 'SIGKILL')
  const { code, err } = await service.ended
  assert.equal(code, 69)
  assert.match(err, /^carillon: Postgres ended by itself .*postgres\.log$/m)
})

test('a data directory of another Postgres gives one clear line', async () => {
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '16\n')
  const { code, err } = await runCarillon(['start'], { ...env, PORT: '0' })
  assert.equal(code, 78)
  assert.match(err.trim().split('\n').at(-1)!, /^carillon: .*made by Postgres 16/)
})

test('a signal while it is still starting ends it as well', async () => {
  const fresh = join(dataDir, 'fresh')
  const starting = startCarillon({ CARILLON_DATA_DIR: fresh })
  const failed = assert.rejects(starting, /it ended with 0/)
  await eventually(() => stat(join(fresh, 'postgres.password')))
  await endLeftovers()
  await failed
})
