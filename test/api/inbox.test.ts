import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deliveryId } from '../../src/domain/ids.ts'
import { createApiWorld } from './api-world.ts'
import { deliverInApp, planInApp } from './inbox-seed.ts'

const world = await createApiWorld()

let users = 0
/** A user with so many items in the inbox; the newest id last. */
async function userWith(count: number): Promise<{ user: string; ids: string[] }> {
  const user = `reader-${++users}`
  const ids = await planInApp(world, user, count)
  await deliverInApp(world, user, ids)
  return { user, ids }
}

const mark = (name: string, id: string) =>
  world.data(`mutation ($id: ID!) { ${name}(id: $id) { id readAt seenAt archivedAt } }`, { id })
const counters = async (user: string) =>
  (await world.data(`query ($user: ID!) { inboxCounters(userId: $user) { unread unseen } }`, { user })).inboxCounters
const inbox = async (user: string, filter?: object): Promise<string[]> =>
  (
    await world.data(
      `query ($user: ID!, $filter: InboxFilter) { inbox(userId: $user, filter: $filter) { nodes { id } } }`,
      {
        user,
        filter,
      },
    )
  ).inbox.nodes.map((node: { id: string }) => node.id)
const eventsOf = async (id: string) =>
  (
    await world.rows<{ type: string }>(
      `select type from carillon.status_events where subject_id = $1 and type ~ 'in_app.(read|seen|archived)' order by id`,
      [deliveryId(id, 'in_app')],
    )
  ).map(({ type }) => type)

describe('an inbox', () => {
  it('counts down as items are seen, read and put away, each once', async () => {
    const { user, ids } = await userWith(4)
    assert.deepEqual(await counters(user), { unread: 4, unseen: 4 })
    await mark('markNotificationSeen', ids[0]!)
    assert.deepEqual(await counters(user), { unread: 4, unseen: 3 })
    const { markNotificationRead } = await mark('markNotificationRead', ids[0]!)
    assert.equal(markNotificationRead.readAt, world.clock.now().toISOString())
    assert.deepEqual(await counters(user), { unread: 3, unseen: 3 })
    await mark('markNotificationRead', ids[1]!)
    assert.deepEqual(await counters(user), { unread: 2, unseen: 2 })
    await mark('archiveNotification', ids[2]!)
    assert.deepEqual(await counters(user), { unread: 1, unseen: 1 })
    for (const id of ids.slice(0, 3)) {
      await mark('markNotificationSeen', id)
      await mark('markNotificationRead', id)
      await mark('archiveNotification', id)
    }
    assert.deepEqual(await counters(user), { unread: 1, unseen: 1 })
    assert.deepEqual(await eventsOf(ids[1]!), ['notification.in_app.read', 'notification.in_app.archived'])
  })

  it('stays right under twenty marks at once, of one item and of twenty', async () => {
    const { user, ids } = await userWith(20)
    await Promise.all(Array.from({ length: 20 }, () => mark('markNotificationRead', ids[0]!)))
    assert.deepEqual(await counters(user), { unread: 19, unseen: 19 })
    assert.equal((await eventsOf(ids[0]!)).length, 1)
    const all = `mutation ($user: ID!) { markAllNotificationsRead(userId: $user) }`
    const [first, second] = await Promise.all([
      world.data(all, { user }),
      world.data(all, { user }),
      ...ids.map((id) => mark('markNotificationRead', id)),
      ...ids.map((id) => mark('archiveNotification', id)),
    ])
    assert.ok(first.markAllNotificationsRead + second.markAllNotificationsRead <= 19)
    assert.deepEqual(await counters(user), { unread: 0, unseen: 0 })
  })

  it('is filtered by read and archived', async () => {
    const { user, ids } = await userWith(3)
    await mark('markNotificationRead', ids[0]!)
    await mark('archiveNotification', ids[1]!)
    assert.deepEqual(await inbox(user), [ids[2], ids[0]])
    assert.deepEqual(await inbox(user, { unread: true }), [ids[2]])
    assert.deepEqual(await inbox(user, { unread: false }), [ids[0]])
    assert.deepEqual(await inbox(user, { archived: true }), [ids[1]])
  })

  it('leaves a notification alone that has no item in it', async () => {
    const [id] = await planInApp(world, 'not-yet', 1)
    const { markNotificationRead } = await mark('markNotificationRead', id!)
    assert.deepEqual(markNotificationRead, { id, readAt: null, seenAt: null, archivedAt: null })
    const query = `mutation ($id: ID!) { markNotificationRead(id: $id) { id } }`
    assert.equal((await world.error(query, { id: 'nonsense' })).extensions.code, 'NOT_FOUND')
  })
})
