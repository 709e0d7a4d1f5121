import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { intentIdOf } from '../../src/domain/ids.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { eventually } from '../support/eventually.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'

const world = await createApiWorld()

const cancelMutation = `mutation ($id: ID!) { cancelNotification(id: $id) }`
const cancel = async (id: string) => (await world.data(cancelMutation, { id })).cancelNotification as boolean
const statusOf = async (id: string) =>
  (await world.data(`query ($id: ID!) { notification(id: $id) { status } }`, { id })).notification.status
const send = async (changes: object = {}) =>
  (await world.data(sendMutation, { input: anInput(changes) })).sendNotification.id as string
const plan = (id: string) => processIntents({ tenant_id: world.tenant, ids: [intentIdOf(id)] }, world.planning)
const setState = (id: string, state: string) =>
  world.admin.query(
    `update carillon.deliveries set state = $3::text::carillon.delivery_state, sent_at = now(), next_attempt_at = case when $3::text = 'retrying' then now() end
     where tenant_id = $1 and id > $2::uuid and id <= carillon.last_id_of($2::uuid)`,
    [world.tenant, id, state],
  )
const eventsOf = async (id: string) =>
  (
    await world.rows<{ type: string }>(
      `select type from carillon.status_events where tenant_id = $1 and subject_id >= $2::uuid
       and subject_id <= carillon.last_id_of($2::uuid) order by id`,
      [world.tenant, id],
    )
  ).map(({ type }) => type)

describe('cancelling', () => {
  it('before planning writes the notification, and planning leaves it alone', async () => {
    const id = await send()
    assert.equal(await cancel(id), true)
    assert.equal(await statusOf(id), 'CANCELLED')
    await plan(id)
    assert.equal(await statusOf(id), 'CANCELLED')
    const deliveries = await world.rows(
      'select id from carillon.deliveries where id > $1::uuid and id <= carillon.last_id_of($1::uuid)',
      [id],
    )
    assert.equal(deliveries.length, 0)
    assert.deepEqual(await eventsOf(id), ['notification.cancelled'])
    assert.equal(await cancel(id), true, 'a second time it is cancelled still')
  })

  it('after planning cancels what waits, and tells of each', async () => {
    const id = await send({ channels: ['EMAIL', 'IN_APP'] })
    await plan(id)
    assert.equal(await cancel(id), true)
    assert.equal(await statusOf(id), 'CANCELLED')
    assert.deepEqual((await eventsOf(id)).slice(-3).sort(), [
      'notification.cancelled',
      'notification.email.cancelled',
      'notification.in_app.cancelled',
    ])
    assert.equal(await cancel(id), true)
  })

  const states: [state: string, cancelled: boolean][] = [
    ['retrying', true],
    ['sending', false],
    ['sent', false],
    ['delivered', false],
    ['bounced', false],
    ['failed', false],
  ]
  for (const [state, expected] of states) {
    it(`a delivery that is ${state} gives ${expected}`, async () => {
      const id = await send()
      await plan(id)
      await setState(id, state)
      assert.equal(await cancel(id), expected)
    })
  }

  it('cancels what waits although another channel was reached, and says false', async () => {
    const id = await send({ channels: ['EMAIL', 'IN_APP'] })
    await plan(id)
    await world.admin.query(
      `update carillon.deliveries set state = 'sent', sent_at = now() where id > $1::uuid and id <= carillon.last_id_of($1::uuid) and channel = 'email'`,
      [id],
    )
    assert.equal(await cancel(id), false)
    assert.equal(await statusOf(id), 'SENT')
    const [row] = await world.rows(
      `select state from carillon.deliveries where id > $1::uuid and id <= carillon.last_id_of($1::uuid) and channel = 'in_app'`,
      [id],
    )
    assert.equal(row!.state, 'cancelled')
  })

  it('waits for a planning that is under way, and cancels what it planned', async () => {
    const id = await send()
    const [intent] = await world.rows('select * from carillon.intents where id = $1', [intentIdOf(id)])
    const client = await world.worker.connect()
    await client.query('begin')
    await client.query(
      `insert into carillon.notifications (tenant_id, id, recipient_type, recipient_id, type, priority, channels, has_fallback, scheduled_at, created_at)
       values ($1, $2, 'user', 'user-42', $3, 1, '{email}', false, now(), now())`,
      [world.tenant, id, intent!.type],
    )
    await client.query(
      `insert into carillon.deliveries (tenant_id, id, channel, state, priority, address, created_at, updated_at)
       values ($1, $2, 'email', 'queued', 1, 'a@b.c', now(), now())`,
      [world.tenant, `${id.slice(0, 34)}01`],
    )
    const cancelling = cancel(id)
    await eventually(async () => {
      const [waiting] = await world.rows(
        `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      assert.equal(waiting!.n, 1)
    })
    await client.query('commit')
    client.release()
    assert.equal(await cancelling, true)
    assert.equal(await statusOf(id), 'CANCELLED')
  })

  it('and planning at the same moment leave one of the two, forty times over', async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, () => send()))
    const results = await Promise.all(ids.map(async (id) => (await Promise.all([cancel(id), plan(id)]))[0]))
    assert.ok(results.every((result) => result === true))
    for (const id of ids) assert.equal(await statusOf(id), 'CANCELLED')
  })

  it('an unknown id is NOT_FOUND', async () => {
    for (const id of [
      'nonsense',
      `${world.ids.intentId().slice(0, 34)}00`,
      await send().then((one) => `${one.slice(0, 28)}00000900`),
    ]) {
      assert.equal((await world.error(cancelMutation, { id })).extensions.code, 'NOT_FOUND')
    }
  })
})
