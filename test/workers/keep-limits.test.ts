import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLimit } from '../../src/store/limits.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { failingPool } from '../support/failing-pool.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const limit = { name: 'one', scope: 'user' as const, max: 1, window: { seconds: 3_600 }, allowCritical: false }
await createLimit(world.worker, world.tenant, world.ids.id(), limit, 100, world.clock.now())
const people = ['ann', 'bob', 'cid'].map((id) => ({
  externalId: id,
  name: null,
  locale: null,
  timezone: null,
  roles: [],
  groups: [],
  contactPoints: [{ channel: 'email' as const, address: `${id}@example.com` }],
}))
await upsertRecipients(world.worker, world.tenant, people, world.clock.now())

const request = async (id: string) => {
  const [answer] = await world.accept([world.intent({ recipients: [{ type: 'user', id }] })])
  return { tenant_id: world.tenant, ids: [answer!.intentId] }
}
const statesOf = async (recipientId: string) => {
  const rows = await world.rows<{ state: string }>(
    `select d.state::text from carillon.notifications n
     join carillon.deliveries d on d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id)
     where n.tenant_id = $1 and n.recipient_id = $2 order by d.id`,
    [world.tenant, recipientId],
  )
  return rows.map(({ state }) => state)
}

test('what may have been planned stays counted, so that no more goes out than the limit allows', async () => {
  const all = failingPool(world.worker)
  await processIntents(await request('ann'), { ...world.planning, pool: all.pool })
  for (const crash of ['before', 'after'] as const) {
    const recipientId = crash === 'before' ? 'bob' : 'cid'
    const first = await request(recipientId)
    const { pool } = failingPool(world.worker, all.statements(), crash)
    await assert.rejects(processIntents(first, { ...world.planning, pool }))
    await processIntents({ ...first, tries: 1 }, world.planning)
    await processIntents(await request(recipientId), world.planning)
    assert.deepEqual(await statesOf(recipientId), ['queued', 'snoozed'], crash)
  }
})
