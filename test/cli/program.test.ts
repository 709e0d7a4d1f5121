import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { configManual } from '../../src/cli/config.ts'
import { runCarillon } from './support/carillon-process.ts'

const commands = [
  ['start'],
  ['send'],
  ['stories'],
  ['doctor'],
  ['migrate'],
  ['maintain'],
  ['config'],
  ['tenants', 'create'],
  ['tenants', 'list'],
  ['keys', 'create'],
  ['keys', 'list'],
  ['keys', 'revoke'],
  ['roles', 'bind'],
  ['roles', 'unbind'],
  ['roles', 'list'],
  ['templates', 'list'],
  ['templates', 'load'],
]

test('the program lists its commands, and says where settings and exit codes are', async () => {
  const { code, out } = await runCarillon(['--help'])
  assert.equal(code, 0)
  for (const [name] of commands) assert.match(out, new RegExp(`^ {2}${name}\\b`, 'm'))
  assert.match(out, /carillon config/)
  assert.match(out, /78 a fault in the settings/)
})

for (const words of commands) {
  test(`carillon ${words.join(' ')} --help says what it does, and offers --json`, async () => {
    const { code, out, err } = await runCarillon([...words, '--help'])
    assert.equal(code, 0)
    assert.equal(err, '')
    assert.match(out, new RegExp(`^Usage: carillon ${words.join(' ')}`))
    assert.match(out, /--json/)
  })
}

test('every fault in the settings is told at once, with exit code 78 and no stack', async () => {
  const { code, out, err } = await runCarillon(['config'], {
    PORT: 'ninety',
    SMTP_URL: 'mail.example.com',
    RETRY_JITTER: '7',
    NODE_ENV: 'production',
  })
  assert.equal(code, 78)
  assert.equal(out, '')
  for (const name of ['PORT', 'SMTP_URL', 'RETRY_JITTER', 'DATABASE_URL'])
    assert.match(err, new RegExp(`^ {2}${name}: `, 'm'))
  assert.doesNotMatch(err, /^ +at /m)
})

test('the same for machines is one JSON document', async () => {
  const { code, err } = await runCarillon(['start', '--json'], { PORT: 'ninety' })
  assert.equal(code, 78)
  const { error } = JSON.parse(err)
  assert.equal(error.code, 'CONFIG_INVALID')
})

test('carillon config shows what is set, and no secret', async () => {
  const env = { DATABASE_URL: 'postgres://carillon:hush@db.example.com/carillon', RETENTION_DAYS: '30' }
  const { code, out } = await runCarillon(['config'], env)
  assert.equal(code, 0)
  assert.match(out, /^RETENTION_DAYS\s+30 {2}\(set\)$/m)
  assert.match(out, /^DATABASE_URL\s+\*{8} {2}\(set\)$/m)
  assert.match(out, /^SHUTDOWN_TIMEOUT\s+25s$/m)
  assert.doesNotMatch(out, /hush/)
  const asJson = await runCarillon(['config', '--json'], env)
  const settings: { name: string; value: string }[] = JSON.parse(asJson.out)
  assert.equal(settings.find(({ name }) => name === 'RETENTION_DAYS')?.value, '30')
  assert.doesNotMatch(asJson.out, /hush/)
})

test('docs/configuration.md is what the settings say of themselves: npm run docs', async () => {
  const committed = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  assert.equal(committed, `${configManual()}\n`)
})

const unreachable = 'postgres://carillon:hush@127.0.0.1:1/carillon'
for (const words of [['migrate'], ['start'], ['maintain'], ['tenants', 'list']]) {
  test(`carillon ${words.join(' ')} without its database says so in one line, with exit code 69`, async () => {
    const { code, err } = await runCarillon(words, { DATABASE_URL: unreachable, PORT: '0' })
    assert.equal(code, 69)
    assert.match(
      err.trim().split('\n').at(-1)!,
      /^carillon: the database does not let us in \(.*ECONNREFUSED.*DATABASE_URL/,
    )
    assert.doesNotMatch(err, /hush|^ +at /m)
  })
}

test('LOG_LEVEL=debug adds where it happened', async () => {
  const { err } = await runCarillon(['maintain'], { DATABASE_URL: unreachable, LOG_LEVEL: 'debug' })
  assert.match(err, /^ +at /m)
})

test('an unknown command and a missing option are told apart from a failure', async () => {
  for (const words of [['ring'], ['keys', 'create'], ['start', '--role', 'bell']]) {
    const { code, err } = await runCarillon(words)
    assert.equal(code, 1)
    assert.match(err, /^error: /)
  }
})
