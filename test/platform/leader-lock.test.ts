import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { pino } from 'pino'
import { createLeaderLock } from '../../src/platform/leader-lock.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const database = await testDatabase()
const owner = database.pool()
const never = new AbortController().signal

const start = (databaseUrl = database.url) =>
  createLeaderLock({ databaseUrl, retryMs: 100, heartbeatMs: 200, logger: pino({ level: 'silent' }) })

/** Counts how many lead at once. */
async function leadFor(turns: number, seen: { now: number; most: number }) {
  const lock = start()
  for (let turn = 0; turn < turns; turn++) {
    const leadership = await lock.acquire('turns', never)
    seen.now++
    seen.most = Math.max(seen.most, seen.now)
    await owner.query('select 1')
    seen.now--
    await leadership.release()
  }
}

test('of five that want to lead one lane, one leads at a time, and each gets its turn', async () => {
  const seen = { now: 0, most: 0 }
  await Promise.all(Array.from({ length: 5 }, () => leadFor(2, seen)))
  assert.equal(seen.most, 1)
})

test('lanes do not stand in each other’s way', async () => {
  const lock = start()
  const both = await Promise.all([lock.acquire('one', never), lock.acquire('two', never)])
  for (const leadership of both) await leadership.release()
})

test('the signal ends the waiting, and what was waited on stays with its holder', async () => {
  const holder = await start().acquire('held', never)
  const waiting = new AbortController()
  const refused = assert.rejects(start().acquire('held', waiting.signal), { name: 'AbortError' })
  waiting.abort()
  await refused
  assert.equal(holder.lost.aborted, false)
  await holder.release()
  await holder.release()
  await assert.rejects(start().acquire('held', AbortSignal.abort()), { name: 'AbortError' })
})

test('a leader whose connection dies learns it, and another takes over', async () => {
  const holder = await start().acquire('cut', never)
  const taking = start().acquire('cut', never)
  const lost = once(holder.lost, 'abort')
  await owner.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())`,
  )
  await lost
  const next = await taking
  await holder.release()
  assert.equal(next.lost.aborted, false)
  await next.release()
})

test('while the database cannot be reached it waits, and leads when it can', async () => {
  const waiting = new AbortController()
  const refused = assert.rejects(start('postgres://nobody@127.0.0.1:1/none').acquire('away', waiting.signal))
  waiting.abort()
  await refused
})

test('when the leading process is killed with -9, another leads within two seconds', async () => {
  const code = `
    const { createLeaderLock } = await import(${JSON.stringify(import.meta.resolve('../../src/platform/leader-lock.ts'))})
    const log = { info() {}, warn() {} }
    await createLeaderLock({ databaseUrl: ${JSON.stringify(database.url)}, logger: log }).acquire('killed', new AbortController().signal)
    console.log('leading')
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(createInterface(child.stdout), 'line')
  let led = false
  const taking = createLeaderLock({ databaseUrl: database.url, logger: pino({ level: 'silent' }) })
    .acquire('killed', never)
    .then((leadership) => {
      led = true
      return leadership
    })
  await eventually(async () => {
    const { rows } = await owner.query(
      `select count(*)::int as sessions from pg_stat_activity where application_name = 'carillon-leader' and datname = current_database()`,
    )
    assert.equal(rows[0].sessions, 2)
  })
  assert.equal(led, false)
  child.kill('SIGKILL')
  const killedAt = performance.now()
  const leadership = await taking
  assert.ok(performance.now() - killedAt < 2_000)
  await leadership.release()
})
