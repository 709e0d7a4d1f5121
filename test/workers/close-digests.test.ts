import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Fold } from '../../src/domain/digest.ts'
import type { IntentPayload } from '../../src/domain/intent.ts'
import { statusEventsTopic } from '../../src/platform/wake.ts'
import { intentsQueue } from '../../src/queue/queues.ts'
import { type CloseDigestsDeps, closeDueDigests, type WaitingMember } from '../../src/workers/close-digests.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { digestsOf, folding, membersOf, minuteMs, planFolded, type Told } from '../support/folding.ts'
import { type TestClock, testClock } from '../support/test-clock.ts'
import { createWorld, type World, waitingJobs } from '../support/world.ts'

let clock: TestClock
let world: World
let woken: string[] = []
let faults: string[] = []
before(async () => {
  clock = testClock('2026-11-20T10:00:00Z')
  world = await createWorld(clock)
})

const deps = (changes: Partial<CloseDigestsDeps> = {}): CloseDigestsDeps => ({
  pool: world.worker,
  ids: world.ids,
  keyTtlMs: 86_400_000,
  recheck: async () => new Map(),
  wake: (topic) => woken.push(topic),
  logger: { error: (_: object, text: string) => faults.push(text) } as unknown as CloseDigestsDeps['logger'],
  ...changes,
})
const close = (changes?: Partial<CloseDigestsDeps>) => closeDueDigests(deps(changes), clock.now())

let people = 0
const somebody = () => `p${++people}`
async function fold(...told: Told[]) {
  const members = told.map((each) => folding(world, each))
  await planFolded(world, members)
  return members.map(({ notificationId }) => notificationId)
}

interface IntentLook {
  id: string
  type: string
  priority: number
  category: string | null
  source: string
  payload: IntentPayload & { data: { items: { data: { event: string }; status?: string }[]; count: number } }
}
const intentsTo = (recipient: string) =>
  world.rows<IntentLook>(
    `select id, type, priority, category, source, payload from carillon.intents
     where tenant_id = $1 and payload -> 'recipients' -> 0 ->> 'id' = $2 order by id`,
    [world.tenant, recipient],
  )
const outcomesOf = (recipient: string) =>
  world.rows<{ id: string; outcome: string | null; reason: string | null }>(
    'select id, outcome, reason from carillon.notifications where tenant_id = $1 and recipient_id = $2 order by id',
    [world.tenant, recipient],
  )
const eventsOf = async (recipient: string) =>
  (
    await world.rows<{ type: string; subject_id: string; data: Record<string, unknown> }>(
      `select type, subject_id, data from carillon.status_events where data ->> 'recipient_id' = $1 order by xid, id`,
      [recipient],
    )
  ).map(({ type, subject_id, data }) => [type, subject_id, data.reason, data.folded] as const)

test('a digest that is due becomes one request with all of its members, and they are done', async () => {
  const recipient = somebody()
  const [a, b] = await fold(
    { recipient, event: 'a' },
    { recipient, event: 'b', said: { priority: 2, category: 'orders' } },
  )
  assert.equal(await close(), 0)
  clock.advance(10 * minuteMs)
  woken = []
  const closed: unknown[] = []
  assert.equal(await close({ onClosed: (reason, folded) => closed.push([reason, folded]) }), 1)
  assert.deepEqual(closed, [['window', 2]])
  assert.deepEqual(new Set(woken), new Set([intentsQueue('bulk'), statusEventsTopic]))
  const [intent, ...others] = await intentsTo(recipient)
  assert.deepEqual(others, [])
  const [digest] = await digestsOf(world, recipient)
  const { data, ...said } = intent!.payload
  assert.deepEqual(
    [intent!.type, intent!.priority, intent!.category, intent!.source],
    ['order.shipped', 2, 'orders', 'system'],
  )
  assert.deepEqual(said, {
    recipients: [{ type: 'user', id: recipient }],
    channels: ['email'],
    subject: 'About b (+1)',
    body: '- About a\n- About b',
    metadata: {},
    digest: { id: digest!.id },
  })
  const items = ['a', 'b'].map((event) => ({ type: 'order.shipped', data: { event }, at: '2026-11-20T10:00:00.000Z' }))
  assert.deepEqual(data, {
    event: 'b',
    items,
    count: 2,
    more: 0,
    first: items[0],
    last: items[1],
    digest: {
      id: digest!.id,
      key: 'rule:1',
      opened_at: '2026-11-20T10:00:00.000Z',
      closed_at: '2026-11-20T10:10:00.000Z',
      reason: 'window',
    },
  })
  assert.deepEqual(
    [digest!.state, digest!.close_reason, digest!.folded, digest!.intent_id],
    ['closed', 'window', 2, intent!.id],
  )
  assert.deepEqual(await membersOf(world, digest!.id), [])
  assert.deepEqual(
    await outcomesOf(recipient),
    [a, b].map((id) => ({ id, outcome: 'sent', reason: 'digested' })),
  )
  assert.deepEqual(await eventsOf(recipient), [
    ['notification.folded', a, 'digest', undefined],
    ['notification.folded', b, 'digest', undefined],
    ['notification.digested', a, 'digested', undefined],
    ['notification.digested', b, 'digested', undefined],
    ['notification.digest.closed', `${intent!.id.slice(0, 28)}00000100`, 'window', 2],
  ])
  assert.equal(await close(), 0)
  const jobs = (await waitingJobs(world)).filter(({ data }) => data.ids.includes(intent!.id))
  assert.equal(jobs.length, 1)
  await processIntents({ tenant_id: world.tenant, ids: [intent!.id] }, world.planning)
  assert.equal((await outcomesOf(recipient)).at(-1)?.outcome, 'suppressed') // nobody has told us of an address
})

test('the template of the policy, or of the newest member, whose data it then has', async () => {
  const [one, two] = [somebody(), somebody()]
  const said = { template: 'single', subject: undefined, body: undefined }
  const templated: Fold = { key: 'k', policy: { windowMs: minuteMs, template: 'summary' } }
  await fold({ recipient: one, event: 'a', said, fold: templated }, { recipient: two, event: 'a', said })
  clock.advance(10 * minuteMs)
  await close()
  const [first] = await intentsTo(one)
  assert.equal(first!.payload.template, 'summary')
  assert.equal('event' in first!.payload.data, false)
  const [second] = await intentsTo(two)
  assert.equal(second!.payload.template, 'single')
  assert.equal((second!.payload.data as Record<string, unknown>).event, 'a')
})

test('one member goes out as it was', async () => {
  const recipient = somebody()
  await fold({ recipient, event: 'a' })
  clock.advance(10 * minuteMs)
  await close()
  const [{ payload } = assert.fail()] = await intentsTo(recipient)
  assert.deepEqual([payload.subject, payload.body, payload.data.count], ['About a', 'It is a.', 1])
})

test('types that differ make a request of the type digest', async () => {
  const recipient = somebody()
  await fold({ recipient, type: 'one' }, { recipient, type: 'two' })
  clock.advance(10 * minuteMs)
  await close()
  assert.equal((await intentsTo(recipient))[0]!.type, 'digest')
})

test('who gave an address and no id gets the digest there', async () => {
  const member = {
    ...folding(world, { recipient: 'address:1' }),
    recipient: { type: 'user' as const, email: 'x@example.com' },
  }
  await planFolded(world, [member])
  clock.advance(10 * minuteMs)
  await close()
  const [intent] = await world.rows<IntentLook>(
    `select payload from carillon.intents where payload -> 'recipients' -> 0 ->> 'email' = 'x@example.com'`,
  )
  assert.equal(intent!.payload.data.count, 1)
})

test('members that may no longer go out are left out, each with its reason', async () => {
  const recipient = somebody()
  const [a, b, c, d] = await fold(
    { recipient, event: 'a' },
    { recipient, event: 'b' },
    { recipient, event: 'c', said: { expiresAt: new Date(clock.now().getTime() + minuteMs).toISOString() } },
    { recipient, event: 'd' },
  )
  clock.advance(10 * minuteMs)
  const asked: WaitingMember[] = []
  await close({
    recheck: async (_trx, _tenant, members) => {
      asked.push(...members)
      return new Map([[b!, { outcome: 'suppressed', reason: 'category_opted_out' }]])
    },
  })
  assert.deepEqual(
    asked.map(({ notificationId }) => notificationId),
    [a, b, d],
  )
  assert.equal(asked[0]!.recipientId, recipient)
  assert.deepEqual(await outcomesOf(recipient), [
    { id: a, outcome: 'sent', reason: 'digested' },
    { id: b, outcome: 'suppressed', reason: 'category_opted_out' },
    { id: c, outcome: 'expired', reason: 'expired' },
    { id: d, outcome: 'sent', reason: 'digested' },
  ])
  const [intent] = await intentsTo(recipient)
  assert.deepEqual(
    intent!.payload.data.items.map(({ data }) => data.event),
    ['a', 'd'],
  )
  const types = (await eventsOf(recipient)).map(([type]) => type)
  for (const type of ['notification.suppressed', 'notification.expired']) assert.ok(types.includes(type), type)
})

test('an event goes out while one of the notifications that stand for it may', async () => {
  const recipient = somebody()
  const [a, b] = await fold({ recipient, event: 'e' }, { recipient, event: 'e' })
  clock.advance(10 * minuteMs)
  await close({ recheck: async () => new Map([[a!, { outcome: 'suppressed', reason: 'no_consent' }]]) })
  assert.deepEqual(
    (await outcomesOf(recipient)).map(({ id, outcome }) => [id, outcome]),
    [
      [a, 'suppressed'],
      [b, 'sent'],
    ],
  )
  assert.equal((await intentsTo(recipient))[0]!.payload.data.count, 1)
})

test('an empty digest is closed, and not sent', async () => {
  const recipient = somebody()
  const [a] = await fold({ recipient })
  clock.advance(10 * minuteMs)
  await close({ recheck: async () => new Map([[a!, { outcome: 'suppressed', reason: 'opted_out' }]]) })
  const [digest] = await digestsOf(world, recipient)
  assert.deepEqual(
    [digest!.state, digest!.close_reason, digest!.folded, digest!.intent_id],
    ['closed', 'empty', 0, null],
  )
  assert.deepEqual(await intentsTo(recipient), [])
  assert.ok(!(await eventsOf(recipient)).some(([type]) => type === 'notification.digest.closed'))
})

test('a full digest is closed at once, and the rest waits', async () => {
  const recipient = somebody()
  const full: Fold = { key: 'k', policy: { windowMs: 60 * minuteMs, size: 2 } }
  await fold(...Array(5).fill({ recipient, fold: full }))
  assert.equal(await close(), 2)
  assert.deepEqual(
    (await intentsTo(recipient)).map(({ payload }) => payload.data.count),
    [2, 2],
  )
  assert.deepEqual(
    (await digestsOf(world, recipient)).map(({ state, close_reason }) => [state, close_reason]),
    [
      ['closed', 'size'],
      ['closed', 'size'],
      ['open', null],
    ],
  )
})

test('what a message cannot carry is counted', async () => {
  const recipient = somebody()
  const data = { event: 'x', text: 'x'.repeat(20_000) }
  await fold(...Array.from({ length: 40 }, () => ({ recipient, data })))
  clock.advance(10 * minuteMs)
  await close()
  const [{ payload } = assert.fail()] = await intentsTo(recipient)
  const { items, count, more } = payload.data as unknown as { items: unknown[]; count: number; more: number }
  assert.equal(count, 40)
  assert.ok(items.length > 20 && items.length + more === 40, String(items.length))
})

test('closers at once close each digest once', async () => {
  const team = Array.from({ length: 120 }, somebody)
  await fold(...team.flatMap((recipient) => [{ recipient }, { recipient }]))
  clock.advance(10 * minuteMs)
  const most = { digests: 7, members: 50 }
  await Promise.all(Array.from({ length: 6 }, () => close({ most })))
  await close()
  const [counts] = await world.rows<{ intents: number; closed: number; sent: number }>(
    `select (select count(*)::int from carillon.intents where payload -> 'recipients' -> 0 ->> 'id' = any ($1)) as intents,
            (select count(*)::int from carillon.digests where recipient_id = any ($1) and state = 'closed') as closed,
            (select count(*)::int from carillon.notifications where recipient_id = any ($1) and outcome = 'sent') as sent`,
    [team],
  )
  assert.deepEqual(counts, { intents: 120, closed: 120, sent: 240 })
})

test('a digest that cannot be closed is put off, and holds up no other', async () => {
  const [bad, good, fine] = [somebody(), somebody(), somebody()]
  await fold({ recipient: bad }, { recipient: good }, { recipient: fine })
  clock.advance(10 * minuteMs)
  faults = []
  const recheck: CloseDigestsDeps['recheck'] = async (_trx, _tenant, members) => {
    if (members.some(({ recipientId }) => recipientId === bad)) throw new Error('a bug')
    return new Map()
  }
  await close({ recheck })
  assert.equal(faults.length, 1)
  for (const recipient of [good, fine]) assert.equal((await intentsTo(recipient)).length, 1)
  assert.equal((await digestsOf(world, bad))[0]!.state, 'open')
  clock.advance(2 * minuteMs)
  await close()
  assert.equal((await intentsTo(bad)).length, 1)
})

const times = { waitMs: minuteMs / 2, intervalMs: 5 * minuteMs, repeatMs: 60 * minuteMs }
const alert = (recipient: string, event: string, alert?: string, resolved = false): Told => ({
  recipient,
  event,
  fold: { key: 'group:1', policy: {}, group: { ...times, resolved, alert } },
})
const flushes = async (recipient: string) =>
  (await intentsTo(recipient)).map(({ payload }) =>
    payload.data.items.map(({ data, status }) => `${data.event} ${status}`),
  )

test('a group of alerts: first wait, interval, repeat, and the resolved one ends it', async () => {
  const recipient = somebody()
  await fold(alert(recipient, 'a1', 'a'))
  clock.advance(20_000)
  await fold(alert(recipient, 'b1', 'b'))
  await close()
  assert.deepEqual(await flushes(recipient), [])
  clock.advance(10_000)
  await close()
  assert.deepEqual(await flushes(recipient), [['a1 firing', 'b1 firing']])
  assert.deepEqual(
    (await outcomesOf(recipient)).map(({ outcome }) => outcome),
    ['sent', 'sent'],
  )

  clock.advance(minuteMs)
  await fold(alert(recipient, 'a2', 'a'), alert(recipient, 'b2', 'b', true))
  await close()
  assert.equal((await flushes(recipient)).length, 1)
  clock.advance(4 * minuteMs)
  await close()
  assert.deepEqual((await flushes(recipient))[1], ['a2 firing', 'b2 resolved'])

  clock.advance(59 * minuteMs)
  await close()
  assert.equal((await flushes(recipient)).length, 2)
  clock.advance(minuteMs)
  await close()
  assert.deepEqual((await flushes(recipient))[2], ['a2 firing'])

  clock.advance(minuteMs)
  await fold(alert(recipient, 'a3', 'a', true))
  clock.advance(4 * minuteMs)
  await close()
  assert.deepEqual((await flushes(recipient))[3], ['a3 resolved'])
  const [group, ...others] = await digestsOf(world, recipient)
  assert.deepEqual([group!.state, group!.close_reason, others.length], ['closed', 'resolved', 0])
  assert.deepEqual(await membersOf(world, group!.id), [])
  assert.ok((await outcomesOf(recipient)).every(({ reason }) => reason === 'digested'))
})

test('a resolved event that names no alert ends the group', async () => {
  const recipient = somebody()
  await fold(alert(recipient, 'a'), alert(recipient, 'b'))
  clock.advance(minuteMs)
  await close()
  await fold(alert(recipient, 'r', undefined, true))
  clock.advance(5 * minuteMs)
  await close()
  assert.deepEqual(await flushes(recipient), [
    ['a firing', 'b firing'],
    ['a resolved', 'b resolved', 'r resolved'],
  ])
  assert.equal((await digestsOf(world, recipient))[0]!.state, 'closed')
})

test('what is resolved before anybody heard of it is told to nobody', async () => {
  const recipient = somebody()
  await fold(alert(recipient, 'a', 'a'), alert(recipient, 'a', 'a', true))
  clock.advance(minuteMs)
  await close()
  assert.deepEqual(await flushes(recipient), [])
  assert.deepEqual(
    (await outcomesOf(recipient)).map(({ outcome, reason }) => [outcome, reason]),
    [
      ['suppressed', 'resolved'],
      ['suppressed', 'resolved'],
    ],
  )
})

test('a group whose recipient opts out ends without a word', async () => {
  const recipient = somebody()
  await fold(alert(recipient, 'a', 'a'))
  clock.advance(minuteMs)
  await close()
  clock.advance(61 * minuteMs)
  await close({
    recheck: async (_trx, _tenant, members) =>
      new Map(members.map(({ notificationId }) => [notificationId, { outcome: 'suppressed', reason: 'opted_out' }])),
  })
  assert.equal((await flushes(recipient)).length, 1)
  assert.equal((await digestsOf(world, recipient))[0]!.close_reason, 'empty')
  assert.equal((await outcomesOf(recipient))[0]!.outcome, 'sent') // it was told of before
})

test('another tenant’s digests are closed with its own requests', async () => {
  const other: World = { ...world, tenant: world.otherTenant }
  const recipient = somebody()
  await planFolded(other, [folding(other, { recipient })])
  await fold({ recipient })
  clock.advance(10 * minuteMs)
  const tenants: string[] = []
  await close({
    recheck: async (_trx, tenantId) => {
      tenants.push(tenantId)
      return new Map()
    },
  })
  assert.deepEqual(tenants.sort(), [world.tenant, world.otherTenant].sort())
  const rows = await world.rows(
    `select distinct tenant_id from carillon.intents where payload -> 'recipients' -> 0 ->> 'id' = $1`,
    [recipient],
  )
  assert.equal(rows.length, 2)
})
