import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts'
import { eventually } from '../support/eventually.ts'

const dataDir = await mkdtemp(join(tmpdir(), 'carillon-embedded-'))
const running = new Set<EmbeddedPostgres>()
const owners = new Set<ChildProcess>()

// An interrupted run ends this process by signal: `exit` is what takes its servers along.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
after(async () => {
  for (const owner of owners) owner.kill('SIGKILL')
  for (const server of running) await server.stop()
  await rm(dataDir, { recursive: true, force: true })
})

test('what was written before a clean stop is there after the next start, on the same port with the same password', async () => {
  const first = await start()
  await query(first.url, 'create table kept (word text)')
  await query(first.url, "insert into kept values ('bell')")
  await stop(first)
  const second = await start()
  assert.deepEqual(await query(second.url, 'select word from kept'), [{ word: 'bell' }])
  assert.equal(second.url, first.url)
  await stop(second)
})

test('a stop ends within seconds though a transaction is open', async () => {
  const server = await start()
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => {})
  await client.connect()
  await client.query('begin; create table never_kept ()')
  const began = performance.now()
  await stop(server)
  assert.ok(performance.now() - began < 5_000)
})

test('only this machine with the password gets in, and the password file is closed to other users', async () => {
  const server = await start()
  const wrong = new URL(server.url)
  wrong.password = 'wrong'
  await assert.rejects(query(`${wrong}`, 'select 1'), { code: '28P01' })
  assert.equal((await stat(join(dataDir, 'postgres.password'))).mode & 0o777, 0o600)
  const settings = ['listen_addresses', 'unix_socket_directories', 'fsync', 'synchronous_commit', 'server_encoding']
  const shown = await query(server.url, `select ${settings.map((name) => `current_setting('${name}') as ${name}`)}`)
  assert.deepEqual(shown, [
    {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'on',
      synchronous_commit: 'on',
      server_encoding: 'UTF8',
    },
  ])
  await stop(server)
})

test('a server that outlived its killed owner does not block the next start, and keeps what was committed', async () => {
  const { owner, url, postmaster } = await startInOtherProcess()
  await query(url, "insert into kept values ('rope')")
  owner.kill('SIGKILL')
  await once(owner, 'exit')
  assert.ok(isAlive(postmaster), 'the orphan is still running')
  const server = await start()
  assert.deepEqual(await query(server.url, 'select word from kept'), [{ word: 'bell' }, { word: 'rope' }])
  assert.ok(!isAlive(postmaster), 'the orphan is gone')
  await stop(server)
})

test('when owner and server were both killed, the pid file they left does not block the next start', async () => {
  const { owner, postmaster } = await startInOtherProcess()
  owner.kill('SIGKILL')
  process.kill(postmaster, 'SIGKILL')
  await once(owner, 'exit')
  const server = await start()
  assert.equal((await query(server.url, 'select word from kept')).length, 2)
  await stop(server)
})

test('a pid file whose number now belongs to another program does not block the next start', async () => {
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'])
  owners.add(other)
  await writeFile(join(dataDir, 'postgres', 'postmaster.pid'), `${other.pid}\n/elsewhere\n0\n5432\n\n\n\nready   \n`)
  const server = await start()
  assert.ok(other.pid && isAlive(other.pid), 'the other program was left alone')
  await stop(server)
  other.kill()
})

test('a second process on a data directory in use gets one clear error, and the first does not notice', async () => {
  const { owner, url } = await startInOtherProcess()
  await assert.rejects(start(), { code: 'EMBEDDED_POSTGRES_IN_USE', message: /is in use by another Carillon/ })
  assert.equal((await query(url, 'select 1')).length, 1)
  owner.kill('SIGTERM')
  await once(owner, 'exit')
})

test('of two that start at the same moment exactly one gets the data directory', async () => {
  const results = await Promise.allSettled([start(), start()])
  const refused = results.filter((result) => result.status === 'rejected')
  assert.deepEqual(
    refused.map((result) => result.reason.code),
    ['EMBEDDED_POSTGRES_IN_USE'],
  )
  for (const server of running) await stop(server)
})

test('of two that make a new cluster at the same moment exactly one gets it', async () => {
  const fresh = join(dataDir, 'fresh')
  const results = await Promise.allSettled([start({ dataDir: fresh }), start({ dataDir: fresh })])
  const refused = results.filter((result) => result.status === 'rejected')
  assert.deepEqual(
    refused.map((result) => result.reason.code),
    ['EMBEDDED_POSTGRES_IN_USE'],
  )
  for (const server of running) await stop(server)
})

test('data of another major version is refused with a line that says what to do', async () => {
  const versionFile = join(dataDir, 'postgres', 'PG_VERSION')
  const right = await readFile(versionFile, 'utf8')
  await writeFile(versionFile, '17\n')
  await assert.rejects(start(), {
    code: 'EMBEDDED_POSTGRES_VERSION',
    message: /made by Postgres 17.*brings Postgres 18: dump/,
  })
  await writeFile(versionFile, right)
})

test('a given port that is taken is an error; a remembered one that is taken is replaced', async () => {
  const remembered = Number(await readFile(join(dataDir, 'postgres.port'), 'utf8'))
  const taken = createServer().listen(remembered, '127.0.0.1')
  await once(taken, 'listening')
  await assert.rejects(start({ port: remembered }), {
    code: 'EMBEDDED_POSTGRES_IN_USE',
    message: /port \d+ .* is taken/,
  })
  const server = await start()
  assert.notEqual(server.port, remembered)
  await stop(server)
  taken.close()
})

test('settings that the server refuses are reported with what it said', async () => {
  await assert.rejects(start({ settings: { shared_buffers: 'plenty' } }), {
    code: 'EMBEDDED_POSTGRES_FAILED',
    message: /did not start.*shared_buffers/,
  })
})

test('a server that dies while we run is reported once, with its last words', async () => {
  const server = await start()
  const reported: Error[] = []
  server.onExit((error) => reported.push(error))
  process.kill(await postmasterPid(), 'SIGKILL')
  await eventually(() => assert.equal(reported.length, 1))
  assert.match(reported[0]?.message ?? '', /ended by itself \(exit SIGKILL\)/)
  server.onExit((error) => reported.push(error))
  assert.equal(reported.length, 2, 'one who asks late is told at once')
  await stop(server)
})

test('the owner keeps the data directory after Postgres drops every session because a backend crashed', async () => {
  const server = await start()
  const client = new pg.Client({ connectionString: server.url })
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query('select pg_backend_pid() as pid')
  process.kill(rows[0].pid, 'SIGKILL')
  await eventually(async () => {
    const held = await query(server.url, "select from pg_locks where locktype = 'advisory' and granted")
    assert.equal(held.length, 1)
  })
  await stop(server)
})

async function start(options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {}) {
  const server = await startEmbeddedPostgres({ dataDir, settings: { shared_buffers: '16MB' }, ...options })
  running.add(server)
  return server
}

async function stop(server: EmbeddedPostgres) {
  running.delete(server)
  await server.stop()
}

async function startInOtherProcess() {
  const code = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(import.meta.resolve('../../src/platform/embedded-postgres.ts'))})
    const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)} })
    console.log(server.url)
    process.once('SIGTERM', () => server.stop())
  `
  const owner = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  owners.add(owner)
  const [url] = await once(createInterface(owner.stdout), 'line')
  return { owner, url: String(url), postmaster: await postmasterPid() }
}

async function postmasterPid() {
  return Number((await readFile(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8')).split('\n')[0])
}

function isAlive(pid: number) {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function query(url: string, text: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
