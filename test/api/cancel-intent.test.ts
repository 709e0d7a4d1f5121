import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { notificationId } from '../../src/domain/ids.ts'
import type { IntentPayload, NewIntent } from '../../src/domain/intent.ts'
import { loadIntents } from '../../src/pipeline/enrich/load-intents.ts'
import { asTenants, inTransaction } from '../../src/platform/db.ts'
import { markCancelled } from '../../src/store/intents.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { eventually } from '../support/eventually.ts'
import { createApiWorld } from './api-world.ts'

const world = await createApiWorld()

const mutation = 'mutation ($id: ID!) { cancelIntent(id: $id) }'
const cancel = async (id: string, key?: string) => (await world.data(mutation, { id }, { key })).cancelIntent as number
const user = (id: string) => ({ type: 'user' as const, id, email: `${id}@example.com` })
const accept = async (payload: Partial<IntentPayload>, fields?: Partial<NewIntent>) =>
  (await world.accept([world.intent(payload, fields)]))[0]!.intentId
const plan = (id: string, on = {}) =>
  processIntents({ tenant_id: world.tenant, ids: [id] }, { ...world.planning, ...on })
const statesOf = (id: string) =>
  world.rows<{ state: string; reason: string | null }>(
    `select d.state::text, d.reason from carillon.deliveries d where d.tenant_id = $1 and carillon.intent_id_of(d.id) = $2 order by d.id`,
    [world.tenant, id],
  )
const states = async (id: string) => (await statesOf(id)).map(({ state }) => state)
const eventsOf = async (id: string) =>
  (await world.rows<{ type: string }>('select type from carillon.events_of($1) order by xid, id', [id])).map(
    ({ type }) => type,
  )
const setState = (id: string, state: string, channel = 'email') =>
  world.admin.query(
    `update carillon.deliveries set state = $3::text::carillon.delivery_state, sent_at = now(), next_attempt_at = case when $3::text = 'retrying' then now() end
     where tenant_id = $1 and carillon.intent_id_of(id) = $2 and channel::text = $4`,
    [world.tenant, id, state, channel],
  )
const statusOf = async (id: string) =>
  (await world.data('query ($id: ID!) { notification(id: $id) { status } }', { id: notificationId(id, 1) }))
    .notification.status

describe('cancelling an intent', () => {
  it('that is not planned yet plans nothing of it', async () => {
    const id = await accept({ recipients: [user('ann'), user('bob')] })
    assert.equal(await cancel(id), 2)
    assert.equal(await statusOf(id), 'CANCELLED')
    await plan(id)
    assert.deepEqual(await statesOf(id), [])
    assert.equal(await statusOf(id), 'CANCELLED')
    assert.deepEqual(await eventsOf(id), ['notification.intent.received', 'notification.intent.cancelled'])
    assert.equal(await cancel(id), 0, 'a second time there is nothing left')
  })

  it('that is scheduled for later plans nothing of it when its time has come', async () => {
    const scheduledAt = new Date(world.clock.now().getTime() + 3_600_000).toISOString()
    const id = await accept({ recipients: [user('ann')] }, { scheduledAt })
    assert.equal(await cancel(id), 1)
    await plan(id)
    assert.deepEqual(await statesOf(id), [])
  })

  it('that this process has just accepted, and still knows by heart, plans nothing either', async () => {
    const id = await accept({ recipients: [user('ann')] })
    const intents = await loadIntents(world.worker, { tenant_id: world.tenant, ids: [id] })
    assert.equal(await cancel(id), 1)
    await processIntents({ tenant_id: world.tenant, ids: [id], intents }, world.planning)
    assert.deepEqual(await statesOf(id), [])
  })

  it('leaves what else is in its chunk alone', async () => {
    const [a, b] = [await accept({ recipients: [user('ann')] }), await accept({ recipients: [user('bob')] })]
    const intents = await loadIntents(world.worker, { tenant_id: world.tenant, ids: [a, b] })
    await cancel(a)
    await processIntents({ tenant_id: world.tenant, ids: [a, b], intents }, world.planning)
    assert.deepEqual(await statesOf(a), [])
    assert.deepEqual(await states(b), ['queued'])
    assert.ok((await eventsOf(b)).includes('notification.email.requested'))
    assert.ok(!(await eventsOf(a)).includes('notification.email.requested'))
  })

  for (const state of ['queued', 'retrying']) {
    it(`cancels what is ${state}`, async () => {
      const id = await accept({ recipients: [user('ann'), user('bob')] })
      await plan(id)
      await setState(id, state)
      assert.equal(await cancel(id), 2)
      assert.deepEqual(
        await statesOf(id),
        [1, 2].map(() => ({ state: 'cancelled', reason: 'cancelled' })),
      )
      assert.equal((await eventsOf(id)).filter((type) => type === 'notification.email.cancelled').length, 2)
      assert.equal((await eventsOf(id)).filter((type) => type === 'notification.cancelled').length, 2)
      assert.equal(await cancel(id), 0)
    })
  }

  for (const state of ['sending', 'sent', 'delivered', 'failed']) {
    it(`leaves what is ${state}`, async () => {
      const id = await accept({ recipients: [user('ann')] })
      await plan(id)
      await setState(id, state)
      assert.equal(await cancel(id), 0)
      assert.deepEqual(await states(id), [state])
    })
  }

  it('takes back a held fallback and what waits beside a channel that was reached, which it does not count', async () => {
    const recipients = [{ ...user('ann'), phone: '+491', slackId: 'U1' }]
    const id = await accept({ recipients, channels: ['email', 'slack'], fallbackChannels: ['sms'] })
    await plan(id)
    await setState(id, 'sent')
    assert.equal(await cancel(id), 0)
    assert.deepEqual((await states(id)).sort(), ['cancelled', 'cancelled', 'sent'])
  })

  it('cancels what is snoozed, and it is not decided again', async () => {
    const scheduleLater = { schedule: { delayMs: 60_000 } }
    const id = await accept({ recipients: [user('ann')], ...scheduleLater })
    await plan(id)
    assert.deepEqual(await states(id), ['snoozed'])
    assert.equal(await cancel(id), 1)
    world.clock.advance(120_000)
    await decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 })
    assert.deepEqual(await states(id), ['cancelled'])
  })

  it('takes what waits in a digest out of it, and leaves what others have put in', async () => {
    const category = 'digested'
    await world.admin.query(
      `insert into carillon.categories (tenant_id, name, required, marketing, enabled, frequency, on_excess, created_at, updated_at)
       values ($1, $2, false, false, true, 'hourly', 'snooze', now(), now())`,
      [world.tenant, category],
    )
    world.clock.advance(1_000)
    const mine = await accept({ recipients: [user('dan'), user('eli')] }, { category })
    const other = await accept({ recipients: [user('dan')] }, { category })
    await plan(mine)
    await plan(other)
    const members = () =>
      world.rows<{ n: number }>('select count(*)::int as n from carillon.digest_members where tenant_id = $1', [
        world.tenant,
      ])
    assert.equal((await members())[0]!.n, 3)
    assert.equal(await cancel(mine), 2)
    assert.equal((await members())[0]!.n, 1)
    const counts = await world.rows<{ recipient_id: string; count: number }>(
      'select recipient_id, count from carillon.digests where tenant_id = $1 order by recipient_id',
      [world.tenant],
    )
    assert.deepEqual(counts, [
      { recipient_id: 'dan', count: 1 },
      { recipient_id: 'eli', count: 0 },
    ])
    assert.equal(await statusOf(mine), 'CANCELLED')
    assert.equal(await statusOf(other), 'SCHEDULED')
  })

  it('stops a role between two of its pages', async () => {
    await upsertRecipients(
      world.worker,
      world.tenant,
      Array.from({ length: 7 }, (_, n) => ({
        externalId: `crew-${n}`,
        roles: ['crew'],
        contactPoints: [{ channel: 'email' as const, address: `crew-${n}@example.com` }],
      })),
      world.clock.now(),
    )
    const id = await accept({ recipients: [{ type: 'role', id: 'crew' }] })
    await plan(id, { recipientsPerChunk: 3 })
    const begun = (await states(id)).length
    assert.ok(begun > 0 && begun < 7, `${begun}`)
    assert.equal(await cancel(id), begun)
    const jobs = await world.rows<{ data: { after: NonNullable<Parameters<typeof processIntents>[0]['after']> } }>(
      `select data from pgboss.job where data ->> 'tenant_id' = $1 and data -> 'after' is not null and data -> 'ids' ? $2`,
      [world.tenant, id],
    )
    assert.equal(jobs.length, 1, 'the next page waits')
    await processIntents({ tenant_id: world.tenant, ids: [id], ...jobs[0]!.data }, world.planning)
    assert.deepEqual(await states(id), Array(begun).fill('cancelled'))
  })

  it('of more notifications than one page counts each once', async () => {
    const id = await accept({ recipients: Array.from({ length: 1_203 }, (_, n) => user(`many-${n}`)) })
    await plan(id, { recipientsPerChunk: 5_000 })
    assert.equal(await cancel(id), 1_203)
    assert.equal((await states(id)).filter((state) => state === 'cancelled').length, 1_203)
  })

  it('waits for a planning that is about to commit, and then takes back what it has planned', async () => {
    const id = await accept({ recipients: [user('ann')] })
    const answer = await inTransaction(world.worker, async (trx) => {
      const pool = { ...world.worker, query: trx.query.bind(trx) }
      await plan(id, { pool })
      const answer = cancel(id)
      await eventually(async () => {
        const [row] = await world.rows<{ n: number }>(
          `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted`,
        )
        assert.equal(row!.n, 1)
      })
      return { answer }
    })
    assert.equal(await answer.answer, 1)
    assert.deepEqual(await states(id), ['cancelled'])
  })

  it('that is being marked makes planning wait, and plan nothing', async () => {
    const id = await accept({ recipients: [user('ann')] })
    const intents = await loadIntents(world.worker, { tenant_id: world.tenant, ids: [id] })
    const planning = await asTenants(world.api, [world.tenant], async (trx) => {
      await markCancelled(trx, world.tenant, id, world.ids, world.clock.now())
      const planning = processIntents({ tenant_id: world.tenant, ids: [id], intents }, world.planning)
      await eventually(async () => {
        const [row] = await world.rows<{ n: number }>(
          `select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted`,
        )
        assert.equal(row!.n, 1)
      })
      return { planning }
    })
    await planning.planning
    assert.deepEqual(await statesOf(id), [])
  })

  it('races with planning without a loss: whoever is first, nothing is left waiting', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => accept({ recipients: [user('ann'), user('bob')] })))
    const counts = await Promise.all(ids.flatMap((id) => [cancel(id), plan(id).then(() => 0)]))
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      40,
    )
    for (const id of ids) assert.ok((await states(id)).every((state) => state === 'cancelled'))
  })

  it('called twice at once counts each notification once', async () => {
    const id = await accept({ recipients: [user('ann'), user('bob')] })
    await plan(id)
    const counts = await Promise.all([cancel(id), cancel(id), cancel(id)])
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      2,
    )
    assert.equal((await eventsOf(id)).filter((type) => type === 'notification.cancelled').length, 2)
  })

  it('is refused for what is not an intent of the tenant', async () => {
    const id = await accept({ recipients: [user('ann')] })
    for (const [of, key] of [
      [notificationId(id, 1), undefined],
      ['nonsense', undefined],
      [id, world.otherKey],
    ] as const) {
      const { extensions } = await world.error(mutation, { id: of }, { key })
      assert.deepEqual([extensions.code, extensions.path], ['NOT_FOUND', ['id']])
    }
    const { key } = await world.newKey(['read'])
    assert.equal((await world.error(mutation, { id }, { key })).extensions.code, 'FORBIDDEN')
    assert.equal(await cancel(id), 1)
  })
})
