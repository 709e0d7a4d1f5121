import assert from 'node:assert/strict'
import { before, beforeEach, test } from 'node:test'
import { deliveryId, notificationId } from '../../../src/domain/ids.ts'
import { claimDeliveries } from '../../../src/pipeline/send/claim-deliveries.ts'
import { releaseAbandoned } from '../../../src/pipeline/send/release-abandoned.ts'
import { statement } from '../../../src/platform/db.ts'
import { type ProcessIntentsDeps, processIntents } from '../../../src/workers/process-intents.ts'
import { createWorld, type World, waitingJobs } from '../../support/world.ts'

const emails = 'deliver-email-bulk'
let world: World
before(async () => {
  world = await createWorld()
})
beforeEach(() => world.admin.query('delete from pgboss.job'))

const chunkOf = (ids: string[]) => ({ tenant_id: world.tenant, ids })
const both = () =>
  world.intent({
    channels: ['email', 'webhook'],
    recipients: [{ type: 'user', id: 'ann', email: 'ann@example.com', webhookUrl: 'https://example.com/hook' }],
  })

/** Planned by a process that claims what is mailed, and is lost before it sends any. */
async function planAndLose(intents: Parameters<World['accept']>[0], settings: Partial<ProcessIntentsDeps> = {}) {
  const ids = (await world.accept(intents)).map(({ intentId }) => intentId)
  await world.admin.query('delete from pgboss.job')
  const planning = { ...world.planning, ...settings }
  const plan = { ...planning.plan, claims: (queue: string) => queue === emails }
  await processIntents(chunkOf(ids), { ...planning, plan })
  return ids
}
const mailOf = (intentId: string) => deliveryId(notificationId(intentId, 1), 'email')
const claim = (job: { data: { tenant_id: string; ids: string[] } }, redelivered = false) =>
  claimDeliveries(world.worker, job.data, redelivered ? 1 : 0, world.clock.now())

test('what was claimed in the job of its intents gets a job that takes it over; channels with jobs of their own keep those', async () => {
  const ids = await planAndLose([both(), both()])
  assert.deepEqual(await waitingJobs(world, emails), [])
  const [own] = await waitingJobs(world, 'deliver-webhook-bulk')
  assert.equal((await claim(own!)).length, 2) // a live worker has them
  const queues = await releaseAbandoned(world.worker, chunkOf(ids), 100)
  assert.deepEqual([...queues], [emails])
  const [job] = await waitingJobs(world, emails)
  assert.deepEqual(job!.data.ids, ids.map(mailOf).sort())
  const claims = await claim(job!)
  assert.deepEqual(
    claims.map(({ attempt, possibleDuplicate }) => [attempt, possibleDuplicate]),
    [
      [2, true],
      [2, true],
    ],
  )
})

test('a chunk is cut into jobs of the usual size, one priority each', async () => {
  const ids = await planAndLose([...Array.from({ length: 3 }, () => world.intent()), world.intent({}, { priority: 2 })])
  await releaseAbandoned(world.worker, chunkOf(ids), 2)
  const jobs = await waitingJobs(world, emails)
  assert.deepEqual(jobs.map(({ priority, data }) => `${priority} ${data.ids.length}`).sort(), ['1 1', '1 2', '2 1'])
})

test('released twice, or beside the worker that was only slow, nothing is claimed by two', async () => {
  const ids = await planAndLose(Array.from({ length: 20 }, () => world.intent()))
  const [handedBack] = ids
  await releaseAbandoned(world.worker, chunkOf(ids), 100)
  await releaseAbandoned(world.worker, chunkOf(ids), 100)
  // The slow worker hands one back, and another claims it before the jobs that take over have come to it.
  await world.admin.query(`update carillon.deliveries set state = 'queued', attempt = 0 where id = $1`, [
    mailOf(handedBack!),
  ])
  const [own] = await claim({ data: chunkOf([mailOf(handedBack!)]) })
  assert.deepEqual([own!.attempt, own!.possibleDuplicate], [1, false])
  const jobs = await waitingJobs(world, emails)
  const claims = (await Promise.all(jobs.map((job) => claim(job)))).flat()
  assert.deepEqual(claims.map(({ deliveryId }) => deliveryId).sort(), ids.slice(1).map(mailOf).sort())
})

test('a job that takes over and comes again takes over from its own first worker', async () => {
  const ids = await planAndLose([world.intent()])
  await releaseAbandoned(world.worker, chunkOf(ids), 100)
  const [job] = await waitingJobs(world, emails)
  await claim(job!)
  assert.deepEqual(await claim(job!), [])
  const [again] = await claim(job!, true)
  assert.equal(again!.attempt, 3)
})

test('planning that comes again claims by jobs of deliveries, so that what it releases is of an earlier worker', async () => {
  const ids = (await world.accept([world.intent(), world.intent()])).map(({ intentId }) => intentId)
  const plan = { ...world.planning.plan, claims: (queue: string) => queue === emails }
  const [slow, again] = ids
  await processIntents(chunkOf([slow!]), { ...world.planning, plan })
  await processIntents({ ...chunkOf(ids), tries: 1 }, { ...world.planning, plan })
  await releaseAbandoned(world.worker, chunkOf(ids), 100)
  const [job, ...others] = await waitingJobs(world, emails)
  assert.deepEqual(job!.data.ids, [mailOf(slow!)])
  assert.deepEqual(others, [])
  const [own] = await world.rows<{ data: { ids: string[] } }>(
    `select data from pgboss.job where name = $1 and state = 'active'`,
    [emails],
  )
  assert.ok(own!.data.ids.includes(mailOf(again!)))
})

test('pages of a role have jobs of deliveries, born as fetched: they are not the business of the intents’ job', async () => {
  await world.admin.query(
    `with members as (
       insert into carillon.recipients (tenant_id, external_id, roles, created_at, updated_at)
       select $1, 'm' || n, '{ops}', now(), now() from generate_series(1, 4) n returning external_id
     )
     insert into carillon.contact_points (tenant_id, recipient_id, channel, address, created_at)
     select $1, m.external_id, 'email', m.external_id || '@example.com', now() from members m`,
    [world.tenant],
  )
  const ids = await planAndLose([world.intent({ recipients: [{ type: 'role', id: 'ops' }] })], {
    recipientsPerChunk: 3,
  })
  assert.deepEqual(
    await world.rows(`select state, json_array_length((data ->> 'ids')::json) as ids from pgboss.job where name = $1`, [
      emails,
    ]),
    [{ state: 'active', ids: 3 }],
  )
  assert.equal((await releaseAbandoned(world.worker, chunkOf(ids), 100)).size, 0)
})

test('the look for them is one range of the primary key', async () => {
  const client = await world.worker.connect()
  try {
    const ids = Array.from({ length: 500 }, () => world.ids.intentId())
    await client.query(`prepare abandoned as ${statement('send/abandoned_deliveries').text}`)
    await client.query('set plan_cache_mode = force_generic_plan; set enable_nestloop = off')
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(
      `explain execute abandoned ('${world.tenant}', '{${ids.join()}}', '${ids[0]}', '${ids.at(-1)}')`,
    )
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    assert.match(plan, /Index Scan using deliveries_\d+_pkey/, plan)
    assert.doesNotMatch(plan, /Seq Scan/, plan)
  } finally {
    client.release(true)
  }
})

test('a job that comes again leaves a later attempt to the job that has it', async () => {
  await world.plan([world.intent()])
  const planned = (await waitingJobs(world, emails)).at(-1)!
  const [first] = await claim(planned)
  assert.equal(first!.attempt, 1)
  const retrying = `update carillon.deliveries set state = 'retrying', next_attempt_at = now() where id = $1`
  await world.admin.query(retrying, [first!.deliveryId])
  const retry = { data: { tenant_id: world.tenant, ids: [first!.deliveryId] } }
  assert.equal((await claim(retry))[0]?.attempt, 2) // a live worker has it
  assert.deepEqual(await claim(planned, true), [])
  assert.equal((await claim(retry, true))[0]?.attempt, 3, 'whose own job takes it over')
})
