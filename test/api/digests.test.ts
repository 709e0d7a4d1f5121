import assert from 'node:assert/strict'
import { test } from 'node:test'
import { closeDueDigests } from '../../src/workers/close-digests.ts'
import { digestsOf, folding, membersOf, planFolded, type Told } from '../support/folding.ts'
import { createApiWorld } from './api-world.ts'

const world = await createApiWorld()

let people = 0
const somebody = () => `p${++people}`
async function fold(...told: Told[]) {
  const members = told.map((each) => folding(world, each))
  await planFolded(world, members)
  return members.map(({ notificationId }) => notificationId)
}
const close = () =>
  closeDueDigests(
    {
      pool: world.worker,
      ids: world.ids,
      keyTtlMs: 86_400_000,
      recheck: async () => new Map(),
      wake: () => {},
      logger: { error: (error: object) => assert.fail(String(error)) } as never,
    },
    world.clock.now(),
  )
const list = async (recipientId: string, more = '') =>
  (
    await world.data(
      `query ($recipientId: String!) { digests(recipientId: $recipientId ${more}) {
         id kind key state count size closeReason folded notificationId members { type data resolved notificationIds } } }`,
      { recipientId },
    )
  ).digests
const cancel = async (id: string) =>
  (await world.data('mutation ($id: ID!) { cancelNotification(id: $id) }', { id })).cancelNotification
const closeMutation = 'mutation ($id: ID!) { closeDigest(id: $id) { id state closesAt closeReason } }'

test('a recipient’s digests are listed with what waits in them', async () => {
  const recipient = somebody()
  const [a, b] = await fold({ recipient, event: 'a' }, { recipient, event: 'b' })
  const [digest] = await digestsOf(world, recipient)
  const member = (event: string, id: string) => ({
    type: 'order.shipped',
    data: { event },
    resolved: false,
    notificationIds: [id],
  })
  assert.deepEqual(await list(recipient), [
    {
      id: digest!.id,
      kind: 'digest',
      key: 'rule:1',
      state: 'open',
      count: 2,
      size: 1000,
      closeReason: null,
      folded: null,
      notificationId: null,
      members: [member('a', a!), member('b', b!)],
    },
  ])
})

test('a digest that is asked for goes out without waiting, once', async () => {
  const recipient = somebody()
  await fold({ recipient })
  const [{ id }] = await list(recipient)
  const { closeDigest } = await world.data(closeMutation, { id })
  assert.deepEqual([closeDigest.closeReason, new Date(closeDigest.closesAt)], ['requested', world.clock.now()])
  await close()
  const [digest] = await list(recipient)
  assert.deepEqual([digest.state, digest.closeReason, digest.folded, digest.members], ['closed', 'requested', 1, []])
  assert.match(digest.notificationId, /00000100$/)
  assert.equal((await world.error(closeMutation, { id })).extensions.code, 'NOT_FOUND')
})

test('what is asked for has to be there, and one’s own', async () => {
  for (const id of ['nonsense', world.ids.id()]) {
    assert.equal((await world.error(closeMutation, { id })).extensions.code, 'NOT_FOUND')
  }
  const recipient = somebody()
  await fold({ recipient })
  const [{ id }] = await list(recipient)
  const answer = await world.ask(closeMutation, { id }, { key: world.otherKey })
  assert.equal(answer.errors?.[0]?.extensions.code, 'NOT_FOUND')
  const query = 'query ($r: String!) { digests(recipientId: $r) { id } }'
  assert.deepEqual((await world.data(query, { r: recipient }, { key: world.otherKey })).digests, [])
})

test('the list goes on, and what is asked of it is looked at', async () => {
  const recipient = somebody()
  for (const key of ['k1', 'k2', 'k3']) await fold({ recipient, fold: { key, policy: {} } })
  const first = await list(recipient, ', limit: 2')
  assert.deepEqual(
    first.map(({ key }: { key: string }) => key),
    ['k3', 'k2'],
  )
  const rest = await list(recipient, `, limit: 2, before: "${first[1].id}"`)
  assert.deepEqual(
    rest.map(({ key }: { key: string }) => key),
    ['k1'],
  )
  await world.data(closeMutation, { id: rest[0].id })
  await close()
  assert.deepEqual(
    (await list(recipient, ', waiting: false')).map(({ key }: { key: string }) => key),
    ['k1'],
  )
  for (const [argument, path] of [
    ['limit: 0', 'limit'],
    ['limit: 101', 'limit'],
    ['before: "x"', 'before'],
  ]) {
    const { extensions } = await world.error(`{ digests(recipientId: "x", ${argument}) { id } }`)
    assert.deepEqual([extensions.code, extensions.path], ['BAD_USER_INPUT', [path]])
  }
})

test('a cancelled notification leaves its digest, and the others go out', async () => {
  const recipient = somebody()
  const [a, b] = await fold({ recipient, event: 'a' }, { recipient, event: 'b' })
  assert.equal(await cancel(a!), true)
  assert.equal(await cancel(a!), true, 'a second time it is cancelled still')
  const [digest] = await digestsOf(world, recipient)
  assert.equal(digest!.count, 1)
  assert.deepEqual(
    (await membersOf(world, digest!.id)).map(({ event_ref }) => event_ref),
    ['b'],
  )
  const told = await world.rows(`select type from carillon.status_events where subject_id = $1 order by id`, [a])
  assert.deepEqual(told, [{ type: 'notification.folded' }, { type: 'notification.cancelled' }])
  await world.data(closeMutation, { id: digest!.id })
  await close()
  assert.equal(await cancel(b!), false, 'it has gone out')
  const [gone] = await world.rows('select outcome from carillon.notifications where id = $1', [a])
  assert.equal(gone!.outcome, 'cancelled')
  assert.equal((await digestsOf(world, recipient))[0]!.folded, 1)
})

test('an event stays in the digest while another notification stands for it', async () => {
  const recipient = somebody()
  const [a, b] = await fold({ recipient, event: 'e' }, { recipient, event: 'e' })
  assert.equal(await cancel(a!), true)
  const [digest] = await digestsOf(world, recipient)
  assert.equal(digest!.count, 1)
  assert.deepEqual((await membersOf(world, digest!.id))[0]!.notification_ids, [b])
})

test('a digest whose members are all cancelled ends without a message', async () => {
  const recipient = somebody()
  const [a] = await fold({ recipient })
  await cancel(a!)
  const [{ id }] = await list(recipient)
  await world.data(closeMutation, { id })
  await close()
  const [digest] = await list(recipient)
  assert.deepEqual([digest.state, digest.closeReason, digest.notificationId], ['closed', 'empty', null])
})

test('cancelling beside closing: it is out, or it went out', async () => {
  for (let round = 0; round < 8; round++) {
    const recipient = somebody()
    const [a] = await fold({ recipient, event: 'a' }, { recipient, event: 'b' })
    const [{ id }] = await list(recipient)
    await world.data(closeMutation, { id })
    const [cancelled] = await Promise.all([cancel(a!), close()])
    await close()
    const [digest] = await digestsOf(world, recipient)
    const [row] = await world.rows<{ outcome: string }>('select outcome from carillon.notifications where id = $1', [a])
    assert.deepEqual([digest!.folded, row!.outcome], cancelled ? [1, 'cancelled'] : [2, 'sent'])
  }
})
