import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import pg from 'pg'
import { pino } from 'pino'
import { createWake, type Wake, type WakeOptions } from '../../src/platform/wake.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'

const database = await testDatabase()
const owner = database.pool()
const wakes: Wake[] = []
after(async () => {
  for (const wake of wakes) await wake.close()
})

function start(over: Partial<WakeOptions> = {}): Wake {
  const wake = createWake({ databaseUrl: database.url, logger: pino({ level: 'silent' }), ...over })
  wakes.push(wake)
  return wake
}

/** Resolves once rings of one reach the other. */
async function connected(from: Wake, to: Wake): Promise<void> {
  let heard = false
  const stop = to.on('hello', () => {
    heard = true
  })
  await eventually(() => {
    from.ring('hello')
    assert.ok(heard)
  })
  stop()
}

async function spy() {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  const payloads: string[] = []
  client.on('notification', (notice) => payloads.push(notice.payload ?? ''))
  await client.query('listen carillon_wake')
  return { payloads, client }
}

test('a ring is heard at once in its own process, once, and only under its topic', async () => {
  const wake = start()
  const heard: string[] = []
  wake.on('a', () => heard.push('a'))
  wake.on('b', () => heard.push('b'))
  await connected(start(), wake)
  heard.length = 0
  wake.ring('a')
  assert.deepEqual(heard, ['a'])
  const other = start()
  const echo = new Promise<void>((resolve) => other.on('last', resolve))
  await connected(wake, other)
  wake.ring('last')
  await echo
  assert.deepEqual(heard, ['a'], 'its own NOTIFY is not heard a second time')
})

test('a ring is heard in another process', async () => {
  const [here, there] = [start(), start()]
  await connected(here, there)
  const heard = new Promise<void>((resolve) => there.on('queue', resolve))
  here.ring('queue')
  await heard
})

test('a thousand rings of two topics are one NOTIFY', async () => {
  const wake = start({ minIntervalMs: 50 })
  await connected(wake, start())
  const { payloads, client } = await spy()
  wake.ring('last of before')
  await eventually(() => assert.ok(payloads.some((payload) => payload.includes('last of before'))))
  payloads.length = 0
  for (let n = 0; n < 1_000; n++) wake.ring(n % 2 ? 'odd' : 'even')
  await eventually(() => assert.ok(payloads.length > 0))
  wake.ring('end')
  await eventually(() => assert.ok(payloads.includes('end')))
  assert.deepEqual(payloads, ['even,odd', 'end'])
  await client.end()
})

test('more topics than a NOTIFY can carry wake everybody', async () => {
  const [here, there] = [start(), start()]
  await connected(here, there)
  const heard = new Promise<void>((resolve) => there.on('rare', resolve))
  for (let n = 0; n < 1_000; n++) here.ring(`topic-${n}-${'x'.repeat(20)}`)
  await heard
})

test('after the connection was lost it comes back, everybody is woken once, and what was rung meanwhile arrives', async () => {
  const [here, there] = [start(), start()]
  await connected(here, there)
  let woken = 0
  there.on('any', () => woken++)
  const heard = new Promise<void>((resolve) => there.on('meanwhile', resolve))
  await owner.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'carillon-wake' and datname = current_database()`,
  )
  here.ring('meanwhile')
  await heard
  await eventually(() => assert.ok(woken > 0))
})

test('without a database a ring still reaches its own process, and closing works', async () => {
  const wake = start({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none' })
  let heard = 0
  const stop = wake.on('a', () => heard++)
  wake.ring('a')
  stop()
  wake.ring('a')
  assert.equal(heard, 1)
  await wake.close()
})
