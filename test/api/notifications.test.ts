import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { notificationId } from '../../src/domain/ids.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { anInput, createApiWorld, type Data } from './api-world.ts'

const world = await createApiWorld()

const listQuery = `query ($filters: NotificationFilters, $pagination: PaginationInput) {
  notifications(filters: $filters, pagination: $pagination) {
    edges { cursor node { id } } nodes { id status } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`

/** Plans one notification for each of `count` intents; the newest id last. */
async function planFor(recipientId: string, count: number, fields: object = {}): Promise<string[]> {
  const ids = await world.plan(
    Array.from({ length: count }, () =>
      world.intent({ recipients: [{ type: 'user', id: recipientId, email: 'a@b.c' }] }, fields),
    ),
  )
  return ids.map((id) => notificationId(id, 1))
}

const idsOf = (data: Data): string[] => data.notifications.nodes.map((node: { id: string }) => node.id)

describe('a list of notifications', () => {
  it('is read forward to its end, the newest first, undisturbed by what comes in', async () => {
    const ids = (await planFor('forward', 7)).reverse()
    const seen: string[] = []
    let after: string | null = null
    for (;;) {
      const data: Data = await world.data(listQuery, {
        filters: { recipientId: 'forward' },
        pagination: { first: 3, after },
      })
      seen.push(...idsOf(data))
      const { hasNextPage, hasPreviousPage, endCursor } = data.notifications.pageInfo
      assert.equal(hasPreviousPage, after !== null)
      await planFor('forward', 1)
      if (!hasNextPage) break
      after = endCursor
    }
    assert.deepEqual(seen, ids)
  })

  it('is read backward from a cursor to what is newer', async () => {
    const ids = (await planFor('backward', 7)).reverse()
    const filters = { recipientId: 'backward' }
    const last = await world.data(listQuery, { filters, pagination: { last: 3 } })
    assert.deepEqual(idsOf(last), ids.slice(4))
    assert.equal(last.notifications.pageInfo.hasPreviousPage, true)
    assert.equal(last.notifications.pageInfo.hasNextPage, false)
    const before = last.notifications.pageInfo.startCursor
    const middle = await world.data(listQuery, { filters, pagination: { last: 3, before } })
    assert.deepEqual(idsOf(middle), ids.slice(1, 4))
    assert.equal(middle.notifications.pageInfo.hasNextPage, true)
    const rest = await world.data(listQuery, {
      filters,
      pagination: { last: 3, before: middle.notifications.pageInfo.startCursor },
    })
    assert.deepEqual(idsOf(rest), ids.slice(0, 1))
    assert.equal(rest.notifications.pageInfo.hasPreviousPage, false)
  })

  const faults: [string, object, string[]][] = [
    ['a page of none', { first: 0 }, ['pagination', 'first']],
    ['a page of 101', { last: 101 }, ['pagination', 'last']],
    ['both directions', { first: 1, last: 1 }, ['pagination', 'last']],
    ['a cursor that is none', { after: 'x' }, ['pagination', 'after']],
  ]
  for (const [name, pagination, path] of faults) {
    it(`refuses ${name}, and names it`, async () => {
      const { extensions } = await world.error(listQuery, { pagination })
      assert.equal(extensions.code, 'BAD_USER_INPUT')
      assert.deepEqual(extensions.path, path)
    })
  }

  it('is filtered by status, channel, type and time', async () => {
    const [one] = await planFor('filtered', 1, { type: 'a.first' })
    world.clock.advance(10_000)
    const between = world.clock.now().toISOString()
    world.clock.advance(10_000)
    const [two, three] = await planFor('filtered', 2, { type: 'a.second' })
    await world.data(`mutation ($id: ID!) { cancelNotification(id: $id) }`, { id: three })
    const cases: [object, (string | undefined)[]][] = [
      [{}, [three, two, one]],
      [{ status: ['CANCELLED'] }, [three]],
      [{ status: ['QUEUED'] }, [two, one]],
      [{ type: 'a.first' }, [one]],
      [{ channel: 'EMAIL' }, [three, two, one]],
      [{ channel: 'SMS' }, []],
      [{ from: between }, [three, two]],
      [{ to: between }, [one]],
      [{ unread: true }, []],
    ]
    for (const [filters, expected] of cases) {
      const data = await world.data(listQuery, { filters: { recipientId: 'filtered', ...filters } })
      assert.deepEqual(idsOf(data), expected, JSON.stringify(filters))
    }
  })

  it('of one intent names those that are planned and those that are not, as pages too', async () => {
    const recipients = Array.from({ length: 5 }, (_one, index) => ({ id: `member-${index}`, email: 'a@b.c' }))
    const { sendNotifications } = await world.data(
      `mutation ($inputs: [SendNotificationInput!]!) { sendNotifications(inputs: $inputs) { intentId } }`,
      { inputs: [anInput({ recipient: undefined, recipients })] },
    )
    const intentId = sendNotifications[0].intentId
    const expected = [5, 4, 3, 2, 1].map((ordinal) => notificationId(intentId, ordinal))
    const cancelled = expected[2]
    await world.data(`mutation ($id: ID!) { cancelNotification(id: $id) }`, { id: cancelled }) // has a row before the others
    const unplanned = await world.data(listQuery, { filters: { intentId } })
    assert.deepEqual(idsOf(unplanned), expected)
    assert.deepEqual(
      unplanned.notifications.nodes.map((node: { status: string }) => node.status),
      ['PENDING', 'PENDING', 'CANCELLED', 'PENDING', 'PENDING'],
    )
    const page = await world.data(listQuery, { filters: { intentId }, pagination: { first: 2 } })
    assert.deepEqual(idsOf(page), expected.slice(0, 2))
    const after = page.notifications.pageInfo.endCursor
    assert.deepEqual(
      idsOf(await world.data(listQuery, { filters: { intentId }, pagination: { first: 2, after } })),
      expected.slice(2, 4),
    )
    assert.deepEqual(
      idsOf(await world.data(listQuery, { filters: { intentId, status: ['PENDING'] } })),
      expected.filter((id) => id !== cancelled),
    )
    await processIntents({ tenant_id: world.tenant, ids: [intentId] }, world.planning)
    const planned = await world.data(listQuery, { filters: { intentId } })
    assert.deepEqual(idsOf(planned), expected)
    assert.equal(planned.notifications.nodes[2].status, 'CANCELLED')
    assert.equal(planned.notifications.nodes[0].status, 'QUEUED')
  })

  it('costs the same number of statements for one notification as for twenty', async () => {
    await planFor('loaded-1', 1)
    await planFor('loaded-20', 20)
    const query = `query ($filters: NotificationFilters) { notifications(filters: $filters) { nodes {
      id status subject body retryCount error sentAt readAt cursor template { name }
      deliveries { id status attempts { status } } deliveryAttempts { status } } } }`
    const statements = async (recipientId: string) => {
      const counted: string[] = []
      const connect = world.api.connect.bind(world.api)
      const clients = await Promise.all(Array.from({ length: 1 }, () => connect()))
      const prototype = Object.getPrototypeOf(clients[0]) as { query: (...args: unknown[]) => unknown }
      for (const client of clients) client.release()
      const original = prototype.query
      prototype.query = function (...args: unknown[]) {
        counted.push(JSON.stringify(args[0]))
        return original.apply(this, args)
      }
      try {
        const data = await world.data(query, { filters: { recipientId } })
        assert.equal(data.notifications.nodes.length, recipientId === 'loaded-1' ? 1 : 20)
      } finally {
        prototype.query = original
      }
      return counted.filter((text) => text.includes('carillon.') && !text.includes('set_config')).length
    }
    const [one, twenty] = [await statements('loaded-1'), await statements('loaded-20')]
    assert.equal(twenty, one)
    assert.ok(one <= 7, `${one} statements`)
  })
})
