/** From an event to what each gate says of it, on the real database: rules, people, preferences, quiet hours, limits, and what waits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deliveryId, notificationId } from '../../src/domain/ids.ts'
import type { Rule } from '../../src/domain/rule.ts'
import { releaseFallbacks } from '../../src/pipeline/settle/release-fallbacks.ts'
import { asTenants, inTransaction } from '../../src/platform/db.ts'
import { createLimit } from '../../src/store/limits.ts'
import { ensurePartitions } from '../../src/store/partitions.ts'
import { changePreferences } from '../../src/store/preferences.ts'
import { upsertRecipients } from '../../src/store/recipients.ts'
import { definitionOf, saveRules } from '../../src/store/rules.ts'
import { decideAgain } from '../../src/workers/decide-again.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { testClock } from '../support/test-clock.ts'
import { createWorld, waitingJobs } from '../support/world.ts'

const clock = testClock('2026-11-20T12:00:00Z')
const world = await createWorld(clock)
await ensurePartitions(world.worker, 3, clock.now())

const rule = (over: Partial<Rule> & { name: string }): Rule => ({
  id: world.ids.id(),
  version: 1,
  eventPattern: '',
  priority: 1,
  channels: ['email'],
  selector: {},
  enabled: true,
  templateVars: { subject: { cel: '"order " + string(event.data.order)' }, body: 'done' },
  ...over,
})
const save = async (...rules: Rule[]) => {
  const rows = rules.map((each) => ({ id: each.id, name: each.name, enabled: true, definition: definitionOf(each) }))
  await saveRules(world.worker, world.tenant, rows, 'test', clock.now())
  clock.advance(1_000)
}
const people = (...ids: string[]) =>
  upsertRecipients(
    world.worker,
    world.tenant,
    ids.map((id) => ({
      externalId: id,
      name: id,
      locale: 'en',
      timezone: 'Europe/Berlin',
      roles: ['on-call'],
      groups: [],
      contactPoints: [{ channel: 'email' as const, address: `${id}@example.com` }],
    })),
    clock.now(),
  )
const event = (type: string, data: Record<string, unknown> = {}) =>
  world.intent(
    {
      recipients: undefined,
      channels: undefined,
      subject: undefined,
      body: undefined,
      data,
      event: { domain: 'shop' },
    },
    { kind: 'event', type, eventId: world.ids.id() },
  )
const stateOf = (intentId: string) =>
  world.rows<{
    recipient_id: string
    outcome: string | null
    why: string | null
    state: string
    reason: string | null
  }>(
    `select n.recipient_id, n.outcome::text, n.reason as why, d.state::text, d.reason from carillon.notifications n
     left join carillon.deliveries d on d.tenant_id = n.tenant_id and d.id > n.id and d.id <= carillon.last_id_of(n.id)
     where n.tenant_id = $1 and carillon.intent_id_of(n.id) = $2 order by n.id, d.id`,
    [world.tenant, intentId],
  )
const prefer = (change: Parameters<typeof changePreferences>[2]) =>
  asTenants(world.api, [world.tenant], (trx) => changePreferences(trx, world.tenant, change, clock.now()))
const again = () => decideAgain({ ...world.planning, pool: world.worker, chunkSize: 100 })

test('an event notifies whom its rules name, each rule by itself', async () => {
  await people('ann', 'bob')
  await save(
    rule({
      name: 'big',
      eventPattern: 'event.data.total > 100',
      eventTypes: ['shop.order.*'],
      selector: { roles: ['on-call'] },
    }),
    rule({ name: 'all', eventTypes: ['shop.order.paid'], selector: { expression: 'event.data.buyer' }, priority: 2 }),
  )
  const [big, small, other] = await world.plan([
    event('shop.order.paid', { total: 101, order: 7, buyer: 'carl' }),
    event('shop.order.paid', { total: 100, order: 8, buyer: 'carl' }),
    event('shop.stock.low', { total: 500, order: 9 }),
  ])
  assert.deepEqual(
    (await stateOf(big!)).map(({ recipient_id, state, reason }) => [recipient_id, state, reason]),
    [
      ['carl', 'suppressed', 'no_address'],
      ['ann', 'queued', null],
      ['bob', 'queued', null],
    ].sort(),
  )
  assert.deepEqual(
    (await stateOf(small!)).map(({ recipient_id }) => recipient_id),
    ['carl'],
  )
  const [unmatched] = await world.rows('select outcome from carillon.intents where id = $1', [other])
  assert.equal(unmatched?.outcome, 'unmatched')
})

test('what quiet hours hold back waits until they end, and is decided again then or when they change', async () => {
  await people('eve', 'fay')
  const quiet = { quietHours: { enabled: true, startTime: '22:00', endTime: '07:00', allowCritical: true } }
  for (const recipientId of ['eve', 'fay']) {
    await prefer({ recipientId, patch: quiet, by: 'test' })
  }
  clock.set('2026-11-20T23:30:00Z')
  const recipients = ['eve', 'fay'].map((id) => ({ type: 'user' as const, id }))
  const [intentId] = await world.plan([world.intent({ recipients })])
  assert.deepEqual(
    (await stateOf(intentId!)).map(({ state, reason }) => [state, reason]),
    [
      ['snoozed', 'quiet_hours'],
      ['snoozed', 'quiet_hours'],
    ],
  )
  const waiting = () =>
    world.rows<{ recipient_id: string; until: Date }>(
      'select recipient_id, until from carillon.snoozes order by recipient_id',
    )
  assert.deepEqual(
    (await waiting()).map(({ until }) => until.toISOString()),
    ['2026-11-21T06:00:00.000Z', '2026-11-21T06:00:00.000Z'],
  )
  assert.equal(await again(), 0)
  await prefer({ recipientId: 'fay', patch: { quietHours: null }, by: 'fay' })
  assert.equal(await again(), 1)
  assert.deepEqual(
    (await stateOf(intentId!)).map(({ recipient_id, state }) => [recipient_id, state]),
    [
      ['eve', 'snoozed'],
      ['fay', 'queued'],
    ],
  )
  clock.set('2026-11-21T06:00:00Z')
  assert.equal(await again(), 1)
  assert.deepEqual(
    (await stateOf(intentId!)).map(({ state }) => state),
    ['queued', 'queued'],
  )
  assert.deepEqual(await waiting(), [])
  const jobs = (await waitingJobs(world, 'deliver-email-bulk')).flatMap(({ data }) => data.ids)
  assert.equal(jobs.filter((id) => id.startsWith(intentId!.slice(0, 28))).length, 2)
})

test('what a limit does not let through waits, and no more than it allows goes out', async () => {
  await people('gus')
  const limit = {
    name: 'mail',
    scope: 'user' as const,
    channel: 'email' as const,
    max: 3,
    window: { seconds: 3_600 },
    allowCritical: false,
  }
  await createLimit(world.worker, world.tenant, world.ids.id(), limit, 100, clock.now())
  clock.advance(1_000)
  const request = () => world.intent({ recipients: [{ type: 'user', id: 'gus' }] })
  const intents = await world.plan(Array.from({ length: 5 }, request))
  const states = async () => (await Promise.all(intents.map(stateOf))).flat().map(({ state }) => state)
  assert.deepEqual((await states()).sort(), ['queued', 'queued', 'queued', 'snoozed', 'snoozed'])
  clock.advance(3_700_000)
  await again()
  assert.deepEqual(
    await states(),
    Array.from({ length: 5 }, () => 'queued'),
  )
})

test('a page of a rule goes on with the rule as it was, and nobody is doubled', async () => {
  await upsertRecipients(
    world.worker,
    world.tenant,
    Array.from({ length: 25 }, (_, n) => ({
      externalId: `crowd-${n}`,
      name: null,
      locale: null,
      timezone: null,
      roles: ['crowd'],
      groups: [],
      contactPoints: [{ channel: 'email' as const, address: `crowd-${n}@example.com` }],
    })),
    clock.now(),
  )
  const crowd = rule({ name: 'crowd', eventTypes: ['crowd.called'], selector: { roles: ['crowd'] } })
  await save(crowd)
  const planning = { ...world.planning, recipientsPerChunk: 10 }
  const [answer] = await world.accept([event('crowd.called', { order: 1 })])
  const id = answer!.intentId
  const goingOn = async () =>
    (await waitingJobs(world)).map(({ data }) => data).filter((data) => 'after' in data && data.ids[0] === id)
  await processIntents({ tenant_id: world.tenant, ids: [id] }, planning)
  await save(
    { ...crowd, eventPattern: 'false' },
    rule({ name: 'new', eventTypes: ['crowd.called'], selector: { userIds: ['ann'] } }),
  )
  await processIntents({ tenant_id: world.tenant, ids: [id], tries: 1 }, planning)
  assert.equal((await stateOf(id)).length, 10, 'what comes again is not matched anew')
  for (let done = 0; done < 3; done++) {
    const jobs = await goingOn()
    if (jobs.length <= done) break
    await processIntents(jobs[done]!, planning)
    await processIntents({ ...jobs[done]!, tries: 1 }, planning)
  }
  const planned = (await stateOf(id)).map(({ recipient_id }) => recipient_id)
  assert.equal(planned.length, 25)
  assert.equal(new Set(planned).size, 25)
})

test('a fallback whose turn comes in quiet hours waits for their end', async () => {
  clock.set('2026-11-25T12:00:00Z')
  const quiet = { enabled: true, startTime: '22:00', endTime: '07:00', timezone: 'Etc/UTC', allowCritical: true }
  await prefer({ recipientId: 'ida', patch: { quietHours: quiet }, by: 'test' })
  const recipients = [{ type: 'user' as const, id: 'ida', email: 'ida@example.com', phone: '+491' }]
  const request = world.intent({ recipients, channels: ['email'], fallbackChannels: ['sms'] })
  const [intentId] = await world.plan([request])
  const states = async () => (await stateOf(intentId!)).map(({ state, reason }) => [state, reason])
  assert.deepEqual(await states(), [
    ['queued', null],
    ['held', null],
  ])
  clock.set('2026-11-25T22:30:00Z')
  const email = deliveryId(notificationId(intentId!, 1), 'email')
  await world.admin.query(`update carillon.deliveries set state = 'failed', reason = 'permanent' where id = $1`, [
    email,
  ])
  const about = {
    recipient_id: 'ida',
    type: 'shop.order.paid',
    has_fallback: true,
    idempotency_key: null,
    correlation_id: null,
    traceparent: null,
  }
  await inTransaction(world.worker, (trx) =>
    releaseFallbacks(trx, world.tenant, [{ deliveryId: email, about }], world.ids, clock.now()),
  )
  await again()
  assert.deepEqual((await states())[1], ['snoozed', 'quiet_hours'])
  clock.set('2026-11-26T07:00:00Z')
  await again()
  assert.deepEqual((await states())[1], ['queued', null])
  const told = await world.rows(
    `select type, data ->> 'fallback' as fallback from carillon.events_of($1) where data ->> 'channel' = 'sms' order by xid, id`,
    [intentId],
  )
  assert.deepEqual(told, [
    { type: 'notification.sms.snoozed', fallback: null },
    { type: 'notification.sms.requested', fallback: 'true' },
  ])
})
