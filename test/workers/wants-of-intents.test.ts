import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Chunk } from '../../src/queue/queues.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { createWorld, waitingJobs } from '../support/world.ts'

const world = await createWorld()
const join = (role: string, ...ids: string[]) =>
  upsertRecipients(
    world.worker,
    world.tenant,
    ids.map((id) => ({
      externalId: id,
      name: null,
      locale: null,
      timezone: null,
      roles: [role],
      groups: [],
      contactPoints: [{ channel: 'email' as const, address: `${id}@example.com` }],
    })),
    world.clock.now(),
  )
const requestTo = (...roles: string[]) => world.intent({ recipients: roles.map((id) => ({ type: 'role', id })) })
const told = async (intentId: string) => {
  const rows = await world.rows<{ recipient_id: string }>(
    'select recipient_id from carillon.notifications where tenant_id = $1 and carillon.intent_id_of(id) = $2 order by 1',
    [world.tenant, intentId],
  )
  return rows.map(({ recipient_id }) => recipient_id)
}

test('a page of a role that is planned again after somebody has joined doubles nobody', async () => {
  await join('cook', 'bea', 'cid')
  const [answer] = await world.accept([requestTo('cook')])
  const chunk = { tenant_id: world.tenant, ids: [answer!.intentId] }
  await processIntents(chunk, world.planning)
  await join('cook', 'abe')
  await processIntents({ ...chunk, tries: 1 }, world.planning)
  assert.deepEqual(await told(answer!.intentId), ['bea', 'cid'])
})

test('a page behind the first one, too', async () => {
  await join('waiter', 'w1', 'w2', 'w3', 'w4', 'w5')
  const planning = { ...world.planning, recipientsPerChunk: 2 }
  const [answer] = await world.accept([requestTo('waiter')])
  const id = answer!.intentId
  const goingOn = async () => (await waitingJobs(world)).map(({ data }) => data).filter(({ ids }) => ids.includes(id))
  const begun = await goingOn()
  await processIntents({ tenant_id: world.tenant, ids: [id] }, planning)
  for (let page = 0; page < 3; page++) {
    const job = (await goingOn()).at(-1)!
    if ((await goingOn()).length === begun.length + page) break
    await processIntents(job, planning)
    await join('waiter', `w2-${page}`, `w4-${page}`)
    await processIntents({ ...job, tries: 1 }, planning)
  }
  const all = await told(id)
  assert.equal(new Set(all).size, all.length)
  for (const waiter of ['w1', 'w2', 'w3', 'w4', 'w5']) assert.ok(all.includes(waiter), waiter)
})

test('what was not begun is planned once, though its job was made twice', async () => {
  await join('maid', 'm1', 'm2', 'm3')
  const planning = { ...world.planning, recipientsPerChunk: 2 }
  const answers = await world.accept([requestTo('maid'), requestTo('maid')])
  const ids = answers.map(({ intentId }) => intentId)
  await processIntents({ tenant_id: world.tenant, ids }, planning)
  const waiting = (await waitingJobs(world)).map(({ data }) => data as Chunk).filter(({ after }) => after)
  const [job] = waiting.filter((data) => data.ids.includes(ids[1]!))
  const all = { ...planning, recipientsPerChunk: 100 }
  await processIntents(job!, all)
  await join('maid', 'm0')
  await processIntents(job!, all)
  assert.deepEqual(await told(ids[1]!), ['m1', 'm2', 'm3'])
})
