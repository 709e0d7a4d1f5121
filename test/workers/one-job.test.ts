import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import type { PgBoss } from 'pg-boss'
import { readConfig } from '../../src/config/config.ts'
import type { NewIntent } from '../../src/domain/intent.ts'
import type { Message } from '../../src/domain/message.ts'
import type { AttemptOutcome } from '../../src/domain/outcome.ts'
import { acceptBatch } from '../../src/pipeline/accept/accept-batch.ts'
import type { Sender } from '../../src/pipeline/send/send-all.ts'
import { createLogger } from '../../src/platform/logger.ts'
import { createMetrics } from '../../src/platform/metrics.ts'
import { createBoss } from '../../src/queue/boss.ts'
import { startWorkers, type Workers } from '../../src/workers/workers.ts'
import { eventually } from '../support/eventually.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
let boss: PgBoss
const started = new Set<Process>()
before(async () => {
  world = await createWorld()
  boss = createBoss(world.worker, { supervise: false, onError: () => {} })
  await boss.start()
})
afterEach(async () => {
  for (const { answerAll, stop } of started) {
    answerAll()
    await stop(5_000)
  }
  started.clear()
  await world.admin.query('delete from pgboss.job')
})
after(() => boss.stop({ graceful: false }))

const accepted: AttemptOutcome = { kind: 'accepted', providerMessageId: 'p-1' }

interface Process extends Workers {
  /** What its provider was called with, in order. */
  calls: Message[]
  /** Lets the provider answer the call of that place, from 0. */
  answer(call: number): void
  /** The provider answers everything from now on. */
  answerAll(): void
}

/** The workers of one process, whose e-mail provider answers only when it is told to. */
function start(settings: Record<string, string> = {}): Process {
  const calls: Message[] = []
  const answers: (() => void)[] = []
  let isOpen = false
  const email: Sender = {
    name: 'told',
    async send(message) {
      const held = Promise.withResolvers<void>()
      calls.push(message)
      answers.push(held.resolve)
      if (!isOpen) await held.promise
      return accepted
    },
  }
  const providers = new Map([['email' as const, email]])
  const workers = startWorkers({
    config: readConfig({ NODE_ENV: 'test', POLL_IDLE: '20ms', ...settings }),
    pool: world.worker,
    boss,
    bossPool: world.worker,
    clock: world.clock,
    ids: world.ids,
    logger: createLogger('silent'),
    metrics: createMetrics(),
    providers: { critical: providers, bulk: providers },
    ring: () => {},
    onRing: () => () => {},
  })
  const process: Process = {
    ...workers,
    calls,
    answer: (call) => answers[call]!(),
    answerAll() {
      isOpen = true
      for (const resolve of answers) resolve()
    },
    async stop(graceMs) {
      started.delete(process)
      await workers.stop(graceMs)
    },
  }
  started.add(process)
  return process
}

/** Accepts in a process that also works: it plans and sends by itself. Gives the intents' ids. */
async function accept(on: Process, intents: readonly NewIntent[]): Promise<string[]> {
  const take = async () => {
    const answers = await acceptBatch(intents, {
      pool: world.api,
      ids: world.ids,
      clock: world.clock,
      keyTtlMs: 86_400_000,
      chunkSize: 500,
      planner: on,
      wake: () => {},
    })
    return answers.map(({ intentId }) => intentId)
  }
  await eventually(() => {
    // A queue that was not looked at yet is not known to be empty.
    assert.ok(on.reserve('bulk', world.tenant, 1))
    on.release('bulk', world.tenant, 1)
  })
  return take()
}

const mails = (count: number, type = 'test.happened') => Array.from({ length: count }, () => world.intent({}, { type }))

/** Jobs by queue and state, with how often they were tried again. */
const jobs = async () =>
  (
    await world.rows<{ job: string }>(
      `select name || ' ' || state || ' ' || retry_count as job from pgboss.job where name <> 'maintenance' order by 1`,
    )
  ).map(({ job }) => job)

const deliveries = (intents: readonly string[]) =>
  world.rows<{ id: string; state: string; attempt: number }>(
    'select id, state, attempt from carillon.deliveries where carillon.intent_id_of(id) = any ($1) order by id',
    [intents],
  )
const states = async (intents: readonly string[]) => (await deliveries(intents)).map(({ state }) => state)

/** What supervision does with a job whose heartbeats have lapsed. */
const lapse = () =>
  world.admin.query(`update pgboss.job set state = 'retry', start_after = now() where name = 'intents-bulk'`)

test('a chunk has one job, from planning to its last delivery', async () => {
  const process = start()
  const intents = await accept(process, mails(3))
  await eventually(() => assert.equal(process.calls.length, 3))
  process.answer(0)
  process.answer(1)
  await eventually(async () => assert.equal((await states(intents)).filter((state) => state === 'sent').length, 2))
  assert.deepEqual(await jobs(), ['intents-bulk active 0'])
  process.answer(2)
  await eventually(async () => assert.deepEqual(await jobs(), ['intents-bulk completed 0']))
  assert.deepEqual(await states(intents), ['sent', 'sent', 'sent'])
})

test('what a lost process had not settled is taken over through the job of its intents, and nothing else', async () => {
  const lost = start()
  const intents = await accept(lost, mails(3))
  await eventually(() => assert.equal(lost.calls.length, 3))
  lost.answer(0)
  await eventually(async () => assert.equal((await states(intents)).filter((state) => state === 'sent').length, 1))
  lost.quiesce()
  await lapse()
  const second = start()
  second.answerAll()
  await eventually(async () => assert.deepEqual(await states(intents), ['sent', 'sent', 'sent']))
  assert.deepEqual(
    second.calls.map(({ deliveryId, attempt }) => `${deliveryId} ${attempt}`).sort(),
    lost.calls
      .slice(1)
      .map(({ deliveryId }) => `${deliveryId} 2`)
      .sort(),
  )
  lost.answerAll() // it was only slow, and comes too late
  await lost.stop(5_000)
  const attempts = await world.rows(
    `select attempt, outcome, possible_duplicate from carillon.delivery_attempts where carillon.intent_id_of(delivery_id) = any ($1)
     order by attempt, outcome`,
    [intents],
  )
  assert.deepEqual(
    attempts.map((row) => `${row.attempt} ${row.outcome} ${row.possible_duplicate}`),
    ['1 accepted false', '1 unknown false', '1 unknown false', '2 accepted true', '2 accepted true'],
  )
  await eventually(async () =>
    assert.deepEqual(await jobs(), ['deliver-email-bulk completed 0', 'intents-bulk completed 1']),
  )
})

test('a stop hands back what was not sent, in a job of deliveries; nobody takes it for a possible duplicate', async () => {
  const first = start({ SEND_CONCURRENCY: '2' })
  const intents = await accept(first, mails(5))
  await eventually(() => assert.equal(first.calls.length, 2))
  const stopped = first.stop(5_000)
  first.answerAll()
  await stopped
  assert.deepEqual((await states(intents)).sort(), ['queued', 'queued', 'queued', 'sent', 'sent'])
  assert.deepEqual(await jobs(), ['deliver-email-bulk created 0', 'intents-bulk completed 0'])
  const second = start()
  second.answerAll()
  await eventually(async () => assert.deepEqual(new Set(await states(intents)), new Set(['sent'])))
  assert.equal(second.calls.length, 3)
  const marked = await world.rows(
    `select 1 from carillon.delivery_attempts where carillon.intent_id_of(delivery_id) = any ($1)
       and (possible_duplicate or attempt > 1)`,
    [intents],
  )
  assert.deepEqual(marked, [])
})

test('a provider that does not answer holds up no planning', async () => {
  const process = start({ WORKER_CONCURRENCY: '1', SEND_CONCURRENCY: '1' })
  const intents: string[] = []
  for (let chunk = 0; chunk < 4; chunk++) {
    intents.push(...(await accept(process, mails(10))))
    await eventually(async () => assert.equal((await states(intents)).length, intents.length))
  }
  assert.equal(process.isCongested(), false)
  assert.equal(process.calls.length, 1)
  assert.deepEqual(await jobs(), Array(4).fill('intents-bulk active 0'))
})

test('a chunk that cannot be planned is tried again; of one with a bad intent the others are sent once, and only the bad one fails', async () => {
  await world.admin.query(
    `create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'poison'; end $$;
     create trigger refuse before insert on carillon.notifications for each row when (new.type = 'poison') execute function public.refuse()`,
  )
  const process = start()
  process.answerAll()
  const intents = await accept(process, [...mails(2), ...mails(1, 'poison'), ...mails(1)])
  await eventually(async () => assert.deepEqual(await jobs(), ['intents-bulk retry 0']))
  assert.deepEqual(await states(intents), [])
  await world.admin.query('update pgboss.job set start_after = now()')
  await eventually(async () => assert.deepEqual(await states(intents), ['sent', 'sent', 'sent']))
  const halves = Array(2).fill('deliver-email-bulk completed 0')
  await eventually(async () => assert.deepEqual(await jobs(), [...halves, 'intents-bulk retry 1']))
  await world.admin.query(`update pgboss.job set start_after = now(), retry_count = 6 where state = 'retry'`)
  await eventually(async () => assert.deepEqual(await jobs(), [...halves, 'intents-bulk completed 7']))
  const outcomes = await world.rows<{ outcome: string | null; type: string }>(
    'select outcome, type from carillon.intents where id = any ($1) and outcome is not null',
    [intents],
  )
  assert.deepEqual(outcomes, [{ outcome: 'failed', type: 'poison' }])
  assert.equal(process.calls.length, 3)
})

test('intents that were planned, and lost their process seven times, are sent and never failed', async () => {
  const lost = start()
  const intents = await accept(lost, mails(2))
  await eventually(() => assert.equal(lost.calls.length, 2))
  lost.quiesce()
  await lapse()
  await world.admin.query(`update pgboss.job set retry_count = 6 where name = 'intents-bulk'`)
  const second = start()
  second.answerAll()
  await eventually(async () => assert.deepEqual(await states(intents), ['sent', 'sent']))
  assert.deepEqual(
    await world.rows('select 1 from carillon.intents where id = any ($1) and outcome is not null', [intents]),
    [],
  )
})
