/** Each message one intent, whatever happens to bridges, brokers and the database. Keys are of no help here: see keyless. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, afterEach, beforeEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { eventually } from '../support/eventually.ts'
import { startKafka } from '../support/kafka-broker.ts'
import { createWorld } from '../support/world.ts'
import { createRig, keyless, type Rig, request } from './bridge-rig.ts'

const world = await createWorld()
const kafka = await startKafka({ ownBroker: true })
after(() => kafka.stop())
let rig: Rig
const children: ChildProcess[] = []

beforeEach(async () => {
  await world.admin.query(
    'delete from carillon.intents; delete from carillon.parked_messages; delete from carillon.idempotency_keys',
  )
  rig = await createRig(world, kafka.brokers)
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rig.close()
})

interface Child {
  process: ChildProcess
  lines: string[]
}

function spawnBridge(topic: string): Child {
  const script = fileURLToPath(new URL('bridge-process.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    [script, world.url, kafka.brokers.join(), rig.groupId, `${topic}=request`, '50'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  const lines: string[] = []
  createInterface(child.stdout!).on('line', (line) => lines.push(line))
  return { process: child, lines }
}

let sent = 0
async function produce(topic: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 500) {
    await rig.send(
      topic,
      Array.from({ length: Math.min(500, count - at) }, () => {
        const id = String(sent++)
        return { key: id, value: request(world.tenant, undefined, { eventId: id }) }
      }),
    )
  }
}

beforeEach(() => {
  sent = 0
})

/** A trickle of messages until it is stopped. */
function keepProducing(topic: string): { stop(): Promise<void> } {
  const stopping = new AbortController()
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await produce(topic, 100)
      await sleep(30)
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await running
    },
  }
}

async function everyMessageIsOneIntent(timeoutMs = 60_000): Promise<void> {
  await eventually(async () => assert.ok((await rig.intents()) >= sent, `${await rig.intents()} of ${sent}`), {
    timeoutMs,
  })
  const [row] = await world.rows(
    `select count(*)::int as intents, count(distinct event_id)::int as messages from carillon.intents where source = 'kafka'`,
  )
  assert.deepEqual(row, { intents: sent, messages: sent })
  assert.deepEqual(await rig.parked(), [])
}

const landsSomething = (child: Child, count = 3) =>
  eventually(() => assert.ok(child.lines.filter((line) => line.startsWith('accepted')).length >= count), {
    timeoutMs: 40_000,
  })

test('through kill -9, again and again, while messages come in', async () => {
  const topic = await rig.topic('requests', 4)
  await produce(topic, 4_000)
  for (let round = 0; round < 4; round++) {
    const child = spawnBridge(topic)
    await landsSomething(child, 2 + round)
    child.process.kill('SIGKILL')
    await once(child.process, 'exit')
    await produce(topic, 1_000)
  }
  rig.start([`${topic}=request`], { pageMessages: 50 }, keyless())
  await everyMessageIsOneIntent()
})

test('while bridges join and leave in full flow', async () => {
  const topic = await rig.topic('requests', 6)
  const flow = keepProducing(topic)
  const first = spawnBridge(topic)
  await landsSomething(first)
  const second = rig.start([`${topic}=request`], { pageMessages: 50 }, keyless())
  await eventually(() => assert.ok((second.outcomes.get('accepted') ?? 0) > 100), { timeoutMs: 40_000 })
  const third = spawnBridge(topic)
  await landsSomething(third)
  await second.bridge.stop()
  first.process.kill('SIGKILL')
  await once(first.process, 'exit')
  await flow.stop()
  await everyMessageIsOneIntent()
})

/** Puts it to sleep in the middle of a transaction, in which it holds a position. */
async function putToSleep({ process }: Child): Promise<void> {
  await eventually(async () => {
    process.kill('SIGSTOP')
    const [{ open } = { open: 0 }] = await world.rows<{ open: number }>(
      `select count(*)::int as open from pg_stat_activity
       where application_name = 'bridge-process' and state = 'idle in transaction'`,
    )
    if (open === 0) process.kill('SIGCONT')
    assert.notEqual(open, 0)
  })
}

test('though a bridge sleeps through the loss of its partitions, and wakes with a page in hand', async () => {
  const topic = await rig.topic('requests', 2)
  await produce(topic, 6_000)
  const sleeper = spawnBridge(topic)
  await landsSomething(sleeper, 5)
  await putToSleep(sleeper)
  const other = rig.start([`${topic}=request`], { pageMessages: 50 }, keyless())
  // The group gives the sleeper's partitions away when its session has timed out, and Postgres ends its transactions then.
  await eventually(async () => assert.ok((other.outcomes.get('accepted') ?? 0) > 500), { timeoutMs: 50_000 })
  sleeper.process.kill('SIGCONT')
  await produce(topic, 2_000)
  await everyMessageIsOneIntent()
})

test('through a broker that restarts, and one that is killed', async () => {
  const topic = await rig.topic('requests', 3)
  await produce(topic, 2_000)
  const watched = rig.start([`${topic}=request`], { pageMessages: 20 }, keyless())
  await eventually(() => assert.ok((watched.outcomes.get('accepted') ?? 0) > 100), { timeoutMs: 30_000 })
  await kafka.restart()
  await produce(topic, 2_000)
  await everyMessageIsOneIntent()
  await kafka.killBroker()
  const before = watched.failed.length
  await eventually(() => assert.ok(watched.failed.length > before, 'the bridge has noticed'), { timeoutMs: 30_000 })
  await kafka.startBroker()
  await produce(topic, 1_000)
  await everyMessageIsOneIntent()
})

test('through a database that ends every connection, and a lock that holds the positions', async () => {
  const topic = await rig.topic('requests', 3)
  await produce(topic, 3_000)
  const child = spawnBridge(topic)
  await landsSomething(child)
  const cut = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bridge-process'`
  for (let round = 0; round < 10; round++) {
    await eventually(async () => assert.ok(((await world.admin.query(cut)).rowCount ?? 0) > 0), { timeoutMs: 20_000 })
  }
  const holder = await world.admin.connect()
  await holder.query('begin; lock table carillon.bridge_offsets in access exclusive mode')
  await produce(topic, 2_000)
  await eventually(
    async () => {
      const waiting = `select from pg_locks where not granted and relation = 'carillon.bridge_offsets'::regclass
        and database = (select oid from pg_database where datname = current_database())`
      assert.ok(((await world.admin.query(waiting)).rowCount ?? 0) > 0)
    },
    { timeoutMs: 20_000 },
  )
  await holder.query('rollback')
  holder.release()
  await everyMessageIsOneIntent()
})
