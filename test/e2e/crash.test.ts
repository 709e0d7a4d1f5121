import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inTransaction } from '../../src/platform/db.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
const folder = mkdtempSync(join(tmpdir(), 'carillon-crash-'))
const children = new Set<ChildProcess>()
before(async () => {
  world = await createWorld()
})
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function startWorker(sentFile: string, latencyMs: number): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('worker-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, world.url, sentFile, `${latencyMs}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  child.once('exit', () => children.delete(child))
  await once(child.stdout!, 'data')
  return child
}

const sends = (file: string) =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line !== '')
    : []

async function unfinished(): Promise<number> {
  const [row] = await world.rows<{ count: number }>(
    `select (select count(*) from carillon.intents i where not exists
              (select from carillon.notifications n where n.tenant_id = i.tenant_id and n.id = carillon.notification_id(i.id, 1)))::int
          + (select count(*) from carillon.deliveries where state not in ('sent', 'failed'))::int as count`,
  )
  return row!.count
}

test('killed again and again in mid-flight, every notification ends, and only what was in flight may be doubled, marked as such', async () => {
  const file = join(folder, 'killed')
  const total = 600
  await world.accept(
    Array.from({ length: total }, (_, index) =>
      world.intent({
        channels: index % 3 ? ['email'] : ['email', 'webhook'],
        recipients: [
          { type: 'user', id: `u${index}`, email: `u${index}@example.com`, webhookUrl: 'https://example.com/hook' },
        ],
      }),
    ),
  )
  for (const killAfter of [1, 250]) {
    const worker = await startWorker(file, 20)
    await eventually(() => assert.ok(sends(file).length >= killAfter), { timeoutMs: 60_000 })
    worker.kill('SIGKILL')
    await once(worker, 'exit')
    assert.ok((await unfinished()) > 0, 'it was killed in mid-flight')
  }
  const worker = await startWorker(file, 1)
  await eventually(async () => assert.equal(await unfinished(), 0), { timeoutMs: 90_000 })
  worker.kill('SIGTERM')
  const [code] = await once(worker, 'exit')
  assert.equal(code, 0)

  const bySend = Map.groupBy(sends(file), (line) => line.split(' ')[0]!)
  assert.equal(bySend.size, total + total / 3, 'every delivery was sent')
  const doubled = [...bySend].filter(([, lines]) => lines.length > 1).map(([id]) => id)
  const marked = await world.rows<{ delivery_id: string }>(
    'select delivery_id from carillon.delivery_attempts where possible_duplicate',
  )
  const markedIds = new Set(marked.map((row) => row.delivery_id))
  assert.deepEqual(
    doubled.filter((id) => !markedIds.has(id)),
    [],
    'a doubled send that is not marked',
  )
  assert.ok([...bySend.values()].every((lines) => lines.length <= 3))
  const [states] = await world.rows(
    `select count(*) filter (where state = 'sent')::int as sent, count(*)::int as all from carillon.deliveries`,
  )
  assert.equal(states?.sent, states?.all)
  const events = await world.rows(
    `select subject_id from carillon.status_events where type like 'notification.%.sent' group by 1 having count(*) <> 1`,
  )
  assert.deepEqual(events, [], 'each delivery is told as sent once')
})

test('what was asked in SQL while there was no worker, and while one was killed, is sent and told of as received once', async () => {
  const file = join(folder, 'asked')
  const total = 300
  const ask = (from: number) =>
    inTransaction(world.admin, async (trx) => {
      await trx.query(`select set_config('carillon.tenant_id', $1, true)`, [world.tenant])
      await trx.query(
        `select carillon.notify(type => 'a.b', recipient => jsonb_build_object('id', 'q' || n, 'email', 'q' || n || '@example.com'),
           subject => 'x', body => 'x', channels => '{email}', priority => (array['LOW', 'CRITICAL'])[1 + n % 2])
         from generate_series($1::int, $2::int) n`,
        [from, from + total / 2 - 1],
      )
    })
  await ask(0)
  const killed = await startWorker(file, 20)
  await eventually(() => assert.ok(sends(file).length >= 1), { timeoutMs: 60_000 })
  killed.kill('SIGKILL')
  await once(killed, 'exit')
  await ask(total / 2)
  const worker = await startWorker(file, 1)
  await eventually(async () => assert.equal(await unfinished(), 0), { timeoutMs: 90_000 })
  worker.kill('SIGTERM')
  await once(worker, 'exit')
  assert.equal(new Set(sends(file).map((line) => line.split(' ')[0])).size, total)
  const [told] = await world.rows(
    `select count(*)::int as events, count(distinct e.subject_id)::int as intents from carillon.status_events e
     join carillon.intents i on i.id = e.subject_id and i.source = 'sql' where e.type = 'notification.intent.received'`,
  )
  assert.deepEqual(told, { events: total, intents: total })
})

test('a graceful stop hands back what was not sent, sends nothing twice, and ends within its patience', async () => {
  const file = join(folder, 'stopped')
  const total = 400
  await world.accept(
    Array.from({ length: total }, (_, index) =>
      world.intent({ recipients: [{ type: 'user', id: `s${index}`, email: `s${index}@example.com` }] }),
    ),
  )
  const first = await startWorker(file, 100)
  await eventually(() => assert.ok(sends(file).length >= 40), { timeoutMs: 30_000 })
  const asked = performance.now()
  first.kill('SIGTERM')
  const [code] = await once(first, 'exit')
  assert.equal(code, 0)
  assert.ok(performance.now() - asked < 5_000)
  assert.ok(sends(file).length < total, 'it stopped before it was through')
  const [left] = await world.rows<{ count: number }>(
    `select count(*)::int from carillon.deliveries where state = 'sending'`,
  )
  assert.equal(left?.count, 0, 'nothing is left in doubt')
  const second = await startWorker(file, 1)
  await eventually(async () => assert.equal(await unfinished(), 0), { timeoutMs: 30_000 })
  second.kill('SIGTERM')
  await once(second, 'exit')
  assert.equal(new Set(sends(file)).size, total)
  assert.equal(sends(file).length, total)
})
