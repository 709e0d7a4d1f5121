import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { intentIdOf } from '../../src/domain/ids.ts'
import { revokeApiKey } from '../../src/store/api-keys.ts'
import { appendStatusEvents } from '../../src/store/status-events.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { eventually } from '../support/eventually.ts'
import { anInput, createApiWorld, sendMutation } from './api-world.ts'
import { deliverInApp, planInApp, settleInApp } from './inbox-seed.ts'
import { transports } from './subscribe.ts'

const world = await createApiWorld({ subscriptionsPerKey: 8 })

const received = `subscription ($userId: ID!, $after: String) { notificationReceived(userId: $userId, after: $after) { id cursor subject status } }`
const changed = `subscription ($id: ID!) { notificationStatusChanged(notificationId: $id) { id status } }`
const idOf = (data: { notificationReceived: { id: string } }) => data.notificationReceived.id

let users = 0
const newUser = () => `user-${++users}`

for (const [name, subscribe] of transports) {
  describe(`a subscription over ${name}`, () => {
    it('gives what is new, and with a cursor all that came since, in order and once each', async () => {
      const user = newUser()
      const ids = await planInApp(world, user, 6)
      await deliverInApp(world, user, ids.slice(0, 1))
      const live = await subscribe(world, received, { userId: user })
      const first = live.next()
      await eventually(async () => assert.equal(await openSubscriptions(), 1))
      await deliverInApp(world, user, ids.slice(1, 2))
      const answer = (await first)!.data
      assert.equal(idOf(answer), ids[1]) // not ids[0], which was there before
      await live.stop()

      for (const id of ids.slice(2, 4)) await deliverInApp(world, user, [id]) // while nobody listens
      const resumed = await subscribe(world, received, { userId: user, after: answer.notificationReceived.cursor })
      assert.deepEqual((await resumed.take(2)).map(idOf), ids.slice(2, 4))
      for (const id of ids.slice(4)) await deliverInApp(world, user, [id])
      assert.deepEqual((await resumed.take(2)).map(idOf), ids.slice(4))
      await resumed.stop()
      await eventually(async () => assert.equal(await openSubscriptions(), 0))
    })

    it('misses nothing of forty concurrent commits that begin before and end after it', async () => {
      const user = newUser()
      const ids = await planInApp(world, user, 41)
      await deliverInApp(world, user, [ids[0]!])
      const { inbox } = await world.data(`query ($user: ID!) { inbox(userId: $user) { nodes { cursor } } }`, { user })
      const early = ids.slice(1, 11)
      const clients = await Promise.all(early.map(() => world.worker.connect()))
      for (const [index, client] of clients.entries()) {
        await client.query('begin')
        await client.query('select pg_current_xact_id()') // its place in the log is taken before those that commit first
        if (index === 0) await settleInApp(world, client, user, [early[0]!])
      }
      const live = await subscribe(world, received, { userId: user, after: inbox.nodes[0].cursor })
      const taking = live.take(40)
      const late = deliverInAll(ids.slice(11), user)
      await clients[0]!.query('commit')
      for (const [index, client] of clients.entries()) {
        if (index > 0) {
          await settleInApp(world, client, user, [early[index]!])
          await client.query('commit')
        }
        client.release()
      }
      await late
      const taken = (await taking).map(idOf)
      assert.deepEqual([...taken].sort(), ids.slice(1).sort())
      await live.stop()
    })

    it('gives a burst of more than a page, past and live, once each and in the order of its cursors', async () => {
      const user = newUser()
      const ids = await planInApp(world, user, 241)
      await deliverInApp(world, user, ids.slice(0, 1))
      const { inbox } = await world.data(`query ($user: ID!) { inbox(userId: $user) { nodes { cursor } } }`, { user })
      await deliverInApp(world, user, ids.slice(1, 111))
      const live = await subscribe(world, received, { userId: user, after: inbox.nodes[0].cursor })
      const taking = live.take(240)
      await deliverInApp(world, user, ids.slice(111, 231))
      await deliverInApp(world, user, ids.slice(231))
      assert.deepEqual((await taking).map(idOf), ids.slice(1))
      await live.stop()
      await eventually(async () => assert.equal(await openSubscriptions(), 0))
    })

    it('tells an item when it comes, and not again when it is seen, read or delivered', async () => {
      const user = newUser()
      const ids = await planInApp(world, user, 2)
      const live = await subscribe(world, received, { userId: user })
      const first = live.next()
      await eventually(async () => assert.equal(await openSubscriptions(), 1))
      await deliverInApp(world, user, ids.slice(0, 1))
      assert.equal(idOf((await first)!.data), ids[0])
      await world.data(`mutation ($id: ID!) { markNotificationRead(id: $id) { id } }`, { id: ids[0] })
      const data = { recipient_id: user, channel: 'in_app' }
      const again = { subjectId: `${ids[0]!.slice(0, 34)}0b`, type: 'notification.in_app.delivered', data }
      await appendStatusEvents(world.worker, world.tenant, [again], world.ids, world.clock.now())
      await deliverInApp(world, user, ids.slice(1))
      assert.equal(idOf((await live.next())!.data), ids[1])
      await live.stop()
      await eventually(async () => assert.equal(await openSubscriptions(), 0))
    })

    it('gives the state at once, and again at every event, from before planning on', async () => {
      const { sendNotification } = await world.data(sendMutation, { input: anInput() })
      const live = await subscribe(world, changed, { id: sendNotification.id })
      const [first] = await live.take(1)
      assert.deepEqual(first.notificationStatusChanged, { id: sendNotification.id, status: 'PENDING' })
      const next = live.take(1)
      await processIntents({ tenant_id: world.tenant, ids: [intentIdOf(sendNotification.id)] }, world.planning)
      assert.equal((await next)[0].notificationStatusChanged.status, 'QUEUED')
      const last = live.take(1)
      await world.data(`mutation ($id: ID!) { cancelNotification(id: $id) }`, { id: sendNotification.id })
      assert.equal((await last)[0].notificationStatusChanged.status, 'CANCELLED')
      await live.stop()
    })

    it('of an unknown or foreign notification is NOT_FOUND', async () => {
      const { sendNotification } = await world.data(sendMutation, { input: anInput() })
      const live = await subscribe(world, changed, { id: sendNotification.id }, world.otherKey)
      assert.equal((await live.next())?.errors?.[0]?.extensions.code, 'NOT_FOUND')
      await live.stop()
    })

    it("of a user's inbox shows another tenant's key nothing", async () => {
      const user = newUser()
      const ids = await planInApp(world, user, 1)
      const foreign = await subscribe(world, received, { userId: user }, world.otherKey)
      let heard = false
      const listening = foreign.next().then((answer) => {
        heard = answer !== undefined
      })
      const own = await subscribe(world, received, { userId: user })
      const mine = own.next()
      await eventually(async () => assert.equal(await openSubscriptions(), 2))
      await deliverInApp(world, user, ids)
      assert.equal(idOf((await mine)!.data), ids[0])
      await own.stop()
      await foreign.stop()
      await listening.catch(() => {})
      assert.equal(heard, false)
    })

    it('with a cursor of something else is refused', async () => {
      const live = await subscribe(world, received, { userId: 'a', after: 'nonsense' })
      const answer = await live.next()
      assert.equal(answer?.errors?.[0]?.extensions.code, 'BAD_USER_INPUT')
      assert.deepEqual(answer?.errors?.[0]?.extensions.path, ['after'])
      await live.stop()
    })

    it('beyond the limit of its key is refused, and there is room again when one ends', async () => {
      const { key } = await world.newKey(['read'])
      const { sendNotification } = await world.data(sendMutation, { input: anInput() })
      const open = () => subscribe(world, changed, { id: sendNotification.id }, key)
      const crowd = []
      for (let index = 0; index < 8; index++) {
        const live = await open()
        await live.take(1)
        crowd.push(live)
      }
      const over = await open()
      assert.equal((await over.next())?.errors?.[0]?.extensions.code, 'RATE_LIMITED')
      await over.stop()
      await crowd.pop()!.stop()
      await eventually(async () => {
        const again = await open()
        crowd.push(again)
        await again.take(1)
      })
      for (const live of crowd) await live.stop()
      await eventually(async () => assert.equal(await openSubscriptions(), 0))
    })

    it('ends when its key is revoked, at the next event', async () => {
      const { key, id } = await world.newKey(['read'])
      const { sendNotification } = await world.data(sendMutation, { input: anInput() })
      const live = await subscribe(world, changed, { id: sendNotification.id }, key)
      await live.take(1)
      await revokeApiKey(world.worker, world.tenant, id, world.clock.now())
      world.clock.advance(6_000)
      const next = live.next()
      await world.data(`mutation ($id: ID!) { cancelNotification(id: $id) }`, { id: sendNotification.id })
      assert.equal((await next)?.errors?.[0]?.extensions.code, 'FORBIDDEN')
      assert.equal(await live.next(), undefined)
      await live.stop()
    })
  })
}

async function deliverInAll(ids: readonly string[], user: string): Promise<void> {
  await Promise.all(ids.map((id) => deliverInApp(world, user, [id])))
}

async function openSubscriptions(): Promise<number> {
  const text = await world.metrics.getSingleMetricAsString('carillon_graphql_subscriptions_open')
  return Number(/open (\d+)/.exec(text)?.[1])
}
