import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { enqueue } from '../../src/queue/enqueue.ts'
import { intentsQueue } from '../../src/queue/queues.ts'
import { createWorld, type World } from '../support/world.ts'

let world: World
before(async () => {
  world = await createWorld()
})

const job = (queue: string) => ({ queue, data: { tenant_id: world.tenant, ids: [world.ids.id()] }, priority: 1 })

test('a queue that is not there fails the statement, and so all of it', async () => {
  await assert.rejects(
    enqueue(world.worker, [job('deliver-email-bulk'), job('deliver-pigeon-bulk')]),
    (error: { code?: string }) => error.code === '23502',
  )
  assert.deepEqual(await world.rows(`select 1 from pgboss.job where name = 'deliver-email-bulk'`), [])
})

test('a transaction that enqueues locks no row of a queue', async () => {
  const client = await world.worker.connect()
  try {
    await client.query('begin')
    for (const queue of ['deliver-email-bulk', intentsQueue('bulk')]) await enqueue(client, [job(queue)])
    await client.query('set constraints all immediate')
    const rows = await world.rows('select name from pgboss.queue for update nowait')
    assert.ok(rows.length > 0)
  } finally {
    await client.query('rollback')
    client.release()
  }
})

test('intents wait in tables of their own', async () => {
  const rows = await world.rows<{ name: string }>(
    `select name from pgboss.queue where partition and table_name <> 'job_common' order by name`,
  )
  assert.deepEqual(
    rows.map(({ name }) => name),
    [intentsQueue('bulk'), intentsQueue('critical')],
  )
})
