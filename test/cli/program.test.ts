import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Command } from 'commander'
import { configManual } from '../../src/cli/config.ts'
import { createProgram } from '../../src/cli/program.ts'
import { runCarillon } from './support/carillon-process.ts'

const unused = () => Promise.reject(new Error('no command is run here'))
const program = createProgram({
  app: { startApp: unused, maintenanceSettings: unused },
  streams: { out: process.stdout, err: process.stderr },
  exitWith: unused,
})

/** Every command that does something, with the words that lead to it. */
function leaves(command: Command, words: string[] = []): { command: Command; words: string[] }[] {
  if (command.commands.length === 0) return [{ command, words }]
  return command.commands.flatMap((child) => leaves(child, [...words, child.name()]))
}

test('the program lists its commands, and says where settings and exit codes are', async () => {
  const { code, out, err } = await runCarillon(['--help'])
  assert.equal(code, 0)
  assert.equal(err, '')
  for (const command of program.commands) assert.match(out, new RegExp(`^ {2}${command.name()}\\b`, 'm'))
  assert.match(out, /carillon config/)
  assert.match(out, /78 a fault in the settings/)
})

test('a command of a command has its help as well', async () => {
  const { code, out, err } = await runCarillon(['roles', 'bind', '--help'])
  assert.equal(code, 0)
  assert.equal(err, '')
  assert.match(out, /--as <role>/)
})

for (const { command, words } of leaves(program)) {
  test(`carillon ${words.join(' ')} says what it does, what each option means, and offers --json`, () => {
    const help = command.helpInformation()
    assert.match(help, new RegExp(`^Usage: carillon ${words.join(' ')}`))
    assert.match(help, /--json/)
    assert.notEqual(command.description(), '')
    for (const option of command.options.filter(({ hidden }) => !hidden)) {
      assert.notEqual(option.description, '', option.flags)
    }
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
