import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { acceptIntents } from '../../../src/pipeline/accept/accept-intents.ts'
import { createCoalescer } from '../../../src/pipeline/accept/coalescer.ts'
import { openPool, statement } from '../../../src/platform/db.ts'
import { createWorld, type World, waitingJobs } from '../../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})

const countIntents = async (key: string) =>
  (await world.rows('select 1 from carillon.intents where idempotency_key = $1', [key])).length

test('an accepted intent has its row, its event and its job', async () => {
  const [answer] = await world.accept([world.intent({}, { correlationId: 'c-1', traceparent: 'tp', priority: 3 })])
  assert.equal(answer?.status, 'accepted')
  const [event] = await world.rows('select type, data from carillon.status_events where subject_id = $1', [
    answer.intentId,
  ])
  assert.equal(event?.type, 'notification.intent.received')
  assert.equal(event?.data.correlation_id, 'c-1')
  const jobs = await waitingJobs(world, 'intents-critical')
  assert.deepEqual(jobs.at(-1)?.data, { tenant_id: world.tenant, ids: [answer.intentId], priority: 3 })
})

test('a batch is one job per tenant, priority and moment, of 500 intents at most', async () => {
  const before = (await waitingJobs(world)).length
  await world.accept([
    ...Array.from({ length: 600 }, () => world.intent()),
    world.intent({}, { tenantId: world.otherTenant }),
    world.intent({}, { scheduledAt: new Date(Date.now() + 3_600_000).toISOString() }),
  ])
  const jobs = (await waitingJobs(world)).slice(before)
  assert.deepEqual(
    jobs.map(({ data }) => data.ids.length).sort((a, b) => a - b),
    [1, 1, 100, 500],
  )
  assert.ok(jobs.some(({ start_after }) => start_after.getTime() > Date.now() + 3_000_000))
})

test('the same key and payload answers with the first intent; another payload is a conflict', async () => {
  const first = await world.accept([world.intent({ body: 'one' }, { idempotencyKey: 'k1' })])
  const again = await world.accept([world.intent({ body: 'one' }, { idempotencyKey: 'k1' })])
  const other = await world.accept([world.intent({ body: 'two' }, { idempotencyKey: 'k1' })])
  assert.deepEqual(again, [{ status: 'duplicate', intentId: first[0]?.intentId }])
  assert.deepEqual(other, [{ status: 'conflict', intentId: first[0]?.intentId }])
  assert.equal(await countIntents('k1'), 1)
})

test('within one batch the first of a key wins, and each row is answered on its own', async () => {
  const answers = await world.accept([
    world.intent({ body: 'a' }, { idempotencyKey: 'k2' }),
    world.intent({ body: 'a' }, { idempotencyKey: 'k2' }),
    world.intent({ body: 'b' }, { idempotencyKey: 'k2' }),
    world.intent({}, { idempotencyKey: 'k3' }),
  ])
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['accepted', 'duplicate', 'conflict', 'accepted'],
  )
  assert.equal(answers[1]?.intentId, answers[0]?.intentId)
})

test('keys are the tenant’s own', async () => {
  const mine = await world.accept([world.intent({}, { idempotencyKey: 'k4' })])
  const theirs = await world.accept([world.intent({}, { idempotencyKey: 'k4', tenantId: world.otherTenant })])
  assert.equal(mine[0]?.status, 'accepted')
  assert.equal(theirs[0]?.status, 'accepted')
})

test('twenty concurrent requests with one key make one intent, and all learn of it', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => world.accept([world.intent({}, { idempotencyKey: 'k5' })])),
  )
  const all = answers.flat()
  assert.equal(all.filter(({ status }) => status === 'accepted').length, 1)
  assert.equal(all.filter(({ status }) => status === 'duplicate').length, 19)
  assert.equal(new Set(all.map(({ intentId }) => intentId)).size, 1)
  assert.equal(await countIntents('k5'), 1)
})

test('batches that hold the same keys in other orders do not deadlock', async () => {
  const keys = Array.from({ length: 50 }, (_, index) => `order-${index}`)
  const batch = (order: string[]) => world.accept(order.map((key) => world.intent({}, { idempotencyKey: key })))
  const answers = await Promise.all([batch(keys), batch([...keys].reverse()), batch(keys), batch([...keys].reverse())])
  assert.equal(answers.flat().filter(({ status }) => status === 'accepted').length, 50)
})

test('a key outlives midnight, and is free again after its day', async () => {
  const evening = new Date(Date.now() - (Date.now() % 86_400_000) - 3 * 3_600_000) // 21:00 yesterday, UTC
  const later = (hours: number) => new Date(evening.getTime() + hours * 3_600_000)
  const ask = (now: Date) => world.accept([world.intent({}, { idempotencyKey: 'midnight' })], now)
  assert.equal((await ask(evening))[0]?.status, 'accepted')
  assert.equal((await ask(later(3.5)))[0]?.status, 'duplicate')
  assert.equal((await ask(later(23.9)))[0]?.status, 'duplicate')
  assert.equal((await ask(later(24.1)))[0]?.status, 'accepted')
})

test('on either side of midnight two open transactions with one key still meet', async () => {
  const midnight = new Date(Date.now() - (Date.now() % 86_400_000))
  const [client, other] = [await world.api.connect(), await world.api.connect()]
  const ask = (on: typeof client, now: Date) =>
    acceptIntents(on, [world.intent({}, { idempotencyKey: 'turn' })], world.ids, now, 86_400_000)
  try {
    await client.query('begin')
    const first = await ask(client, new Date(midnight.getTime() - 60_000))
    const second = ask(other, new Date(midnight.getTime() + 60_000)) // waits for the first to commit
    await client.query('commit')
    assert.equal(first.answers[0]?.status, 'accepted')
    assert.equal((await second).answers[0]?.status, 'duplicate')
  } finally {
    client.release(true)
    other.release(true)
  }
})

test('a batch with another tenant’s intent is refused whole, by Postgres', async () => {
  const client = await world.api.connect()
  try {
    await client.query(`set carillon.tenant_id = '${world.tenant}'`)
    const ofAnother = { ...statement('accept/accept_intents'), name: 'accept_as_is' }
    const values = [world.tenant, new Date(), '1 day', false, `{${world.otherTenant}}`, `{${world.ids.intentId()}}`]
    const columns = [
      '{direct}',
      '{t}',
      '{1}',
      '{}',
      '{}',
      '{}',
      '{}',
      '{}',
      '{graphql}',
      '{}',
      '{}',
      '{0}',
      '{}',
      '[{}]',
      '[]',
    ]
    await assert.rejects(
      client.query({ ...ofAnother, values: [...values, ...columns] }),
      (error: { code?: string }) => error.code === '42501',
    )
  } finally {
    client.release(true)
  }
})

test('a key that an open transaction holds keeps nobody else waiting', async () => {
  const patient = openPool({
    databaseUrl: world.url,
    role: 'carillon_api',
    max: 4,
    lockTimeoutMs: 100,
    applicationName: 'test',
    onError: () => {},
  })
  const coalescer = createCoalescer({
    accept: async (intents) =>
      (await acceptIntents(patient, intents, world.ids, world.clock.now(), 86_400_000)).answers,
    onCommitted: () => {},
    flushMs: 1,
    flushRows: 100,
    maxInFlight: 2,
    worthOwn: 1,
  })
  const holder = await world.admin.connect()
  try {
    await holder.query(`begin; set local carillon.tenant_id = '${world.tenant}'`)
    await holder.query(
      `select carillon.notify(type => 'x', recipient => '{"id": "a"}', body => 'x', idempotency_key => 'held')`,
    )
    const [blocked, free] = await Promise.allSettled([
      coalescer.submit([world.intent({}, { idempotencyKey: 'held' })]),
      coalescer.submit([world.intent({}, { idempotencyKey: 'free', tenantId: world.otherTenant })]),
    ])
    assert.equal(blocked.status === 'rejected' && blocked.reason.code, '55P03')
    assert.equal(free.status === 'fulfilled' && free.value[0]?.status, 'accepted')
  } finally {
    await holder.query('rollback')
    holder.release()
    await coalescer.close()
    await patient.end()
  }
})
