/** Why somebody has no notification at all: of requests and events that ended before, wait, or name others. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cancelNotification } from '../../src/api/graphql/cancel-mutation.ts'
import { firstIdAt, intentIdOf, notificationId } from '../../src/domain/ids.ts'
import { failIntent, processIntents } from '../../src/workers/process-intents.ts'
import { waitingJobs } from '../support/world.ts'
import { createExplaining, explainQuery, noon, type ToldExplanation, today, tomorrow } from './explaining.ts'

const on = await createExplaining()
const { world, clock, asApi, person, to, event, plan, accept, saveRule, explain } = on
const { tenant } = world

const stagesOf = ({ steps }: ToldExplanation) =>
  steps.map(({ stage, gate, verdict, reason }) => [stage, gate, verdict, reason])
const ruleSteps = ({ steps }: ToldExplanation) => steps.filter(({ gate }) => gate === 'rule')

test('an event of a tenant without rules matched none', async () => {
  const { intentId } = await plan(event('first.event'))
  const told = await explain({ intentId, recipientId: 'ann' })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['not_matched', 'No rule matched the event “first.event”: there were none.'],
  )
  assert.deepEqual(stagesOf(told), [
    ['accept', 'request', 'accepted', null],
    ['match', 'event', 'unmatched', 'not_matched'],
  ])
})

test('of each rule that did not match it is told why, as it stood when the event was matched', async () => {
  const types = ['shop.order.paid']
  const selector = { userIds: ['ann'] }
  await saveRule({ name: 'off', eventTypes: types, selector, enabled: false })
  await saveRule({ name: 'other type', eventTypes: ['shop.stock.*'], selector })
  await saveRule({ name: 'other domain', domains: ['finance'], selector })
  await saveRule({ name: 'later', eventTypes: types, selector, validFrom: new Date('2999-12-01T00:00:00Z') })
  const dear = await saveRule({ name: 'dear', eventTypes: types, selector, eventPattern: 'event.data.total > 100' })
  await saveRule({ name: 'broken', eventTypes: types, selector, eventPattern: 'event.data.missing == 1' })
  const { intentId } = await plan(event('shop.order.paid', { total: 100 }))
  clock.advance(60_000)
  // What is changed later says nothing of then.
  await saveRule({ ...dear, eventPattern: 'true' })
  await saveRule({ name: 'new', eventTypes: types, selector })
  const told = await explain({ intentId, recipientId: 'ann' })
  assert.equal(told.outcome, 'not_matched')
  assert.equal(
    told.summary,
    'No rule matched the event “shop.order.paid”: 6 were there, 1 switched off, 1 of other types, 1 of other domains, 1 not valid then, 1 whose pattern is false, 1 whose expression failed.',
  )
  const said = Object.fromEntries(
    ruleSteps(told).map(({ inputs, verdict, reason }) => [inputs.rule, [verdict, reason]]),
  )
  assert.deepEqual(said, {
    off: ['no_match', 'switched_off'],
    'other type': ['no_match', 'other_type'],
    'other domain': ['no_match', 'other_domain'],
    later: ['no_match', 'not_valid_then'],
    dear: ['no_match', 'pattern_false'],
    broken: ['error', 'expression_failed'],
  })
  const inputsOf = (name: string) => ruleSteps(told).find(({ inputs }) => inputs.rule === name)!
  assert.equal(inputsOf('dear').inputs.event_pattern, 'event.data.total > 100')
  assert.deepEqual(inputsOf('dear').versions, { rule: 'dear@1' })
  assert.deepEqual(inputsOf('other type').inputs.event_types, ['shop.stock.*'])
  assert.equal(inputsOf('broken').inputs.code, 'no_such_field')
  assert.deepEqual(await explain({ intentId }), told, 'whoever it is asked for')
})

test('a rule that matched and names others says whom', async () => {
  await person('bea', { roles: ['buyers'] })
  await saveRule({ name: 'buyers', eventTypes: ['bought'], selector: { roles: ['buyers'], userIds: ['carl'] } })
  const { intentId } = await plan(event('bought'))
  const told = await explain({ intentId, recipientId: 'dora' })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['not_addressed', 'No rule that matched the event “bought” names dora: “buyers” names role “buyers” and 1 by id.'],
  )
  const left = told.steps.find(({ stage }) => stage === 'enrich')!
  assert.deepEqual([left.gate, left.verdict, left.reason], ['audience', 'not_named', 'not_in_audience'])
  assert.equal((await explain({ intentId, recipientId: 'bea' })).outcome, 'waiting')
  clock.advance(1_000)
  await person('dora', { roles: ['buyers'] })
  const later = await explain({ intentId, recipientId: 'dora' })
  assert.equal(
    later.summary,
    'No rule that matched the event “bought” names dora: “buyers” names role “buyers” now, and did not then.',
  )
  assert.equal(later.steps.find(({ stage }) => stage === 'enrich')!.reason, 'not_a_member_then')
})

test('rules that match and name nobody are told of by name', async () => {
  await saveRule({ name: 'nobody', eventTypes: ['lonely'], selector: { roles: ['no-such-role'] } })
  const { intentId } = await plan(event('lonely'))
  const told = await explain({ intentId, recipientId: 'ann' })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['not_addressed', 'Nobody was notified of the event “lonely”: the rules that matched (“nobody”) name nobody.'],
  )
  assert.ok(told.steps.some(({ stage, reason }) => stage === 'enrich' && reason === 'no_recipients'))
})

test('several rules that name the same person are told of together, the best first', async () => {
  await person('eve')
  const selector = { userIds: ['eve'] }
  await saveRule({ name: 'by sms', eventTypes: ['twice'], selector, channels: ['sms'] })
  await saveRule({ name: 'by mail', eventTypes: ['twice'], selector })
  const { intentId } = await plan(event('twice'))
  const told = await explain({ intentId, recipientId: 'eve' })
  assert.equal(told.outcome, 'waiting')
  assert.equal(
    told.summary,
    '2 notifications: waits in the queue to be sent to eve (rule “by mail”) by email; and not sent to eve (rule “by sms”): sms: no address of the recipient is known.',
  )
  const rules = told.steps.filter(({ gate }) => gate === 'preference').map(({ versions }) => versions?.rule)
  assert.deepEqual(rules, ['by sms@1', 'by mail@1'])
  assert.deepEqual(
    told.steps.filter(({ gate }) => gate === 'audience').map(({ inputs }) => inputs.by),
    [['user'], ['user']],
  )
})

test('a rule that was saved within the half second that settings are kept is told to have come too late', async () => {
  await plan(event('warm'))
  const selector = { userIds: ['ann'] }
  const row = { eventTypes: ['too.soon'], selector, name: 'too soon' }
  clock.advance(-1_000)
  await saveRule(row) // the process still knows the settings of before
  const { intentId } = await plan(event('too.soon'))
  const told = await explain({ intentId, recipientId: 'ann' })
  assert.equal(told.outcome, 'not_matched')
  assert.equal(ruleSteps(told).find(({ inputs }) => inputs.rule === 'too soon')?.reason, 'not_loaded_yet')
  clock.advance(2_000)
})

test('what nobody has accepted, or another tenant has, is unknown', async () => {
  const { intentId, id } = await plan(to('ann'))
  const nowhere = intentIdOf(firstIdAt(clock.now().getTime()))
  const unknown = (told: string) => ({
    outcome: 'unknown',
    summary: `Nothing is known of ${told}: it was not accepted, or is past its retention.`,
    steps: [],
  })
  assert.deepEqual(await explain({ intentId: nowhere, recipientId: 'ann' }), unknown(nowhere))
  assert.deepEqual(await explain({ intentId, recipientId: 'ann' }, world.otherKey), unknown(intentId))
  assert.deepEqual(await explain({ notificationId: id }, world.otherKey), unknown(id))
  const seventh = notificationId(intentId, 7)
  assert.deepEqual(await explain({ notificationId: seventh }), unknown(seventh))
  const matched = await plan(event('bought'))
  assert.deepEqual(
    await explain({ intentId: matched.intentId, recipientId: 'bea' }, world.otherKey),
    unknown(matched.intentId),
  )
})

test('a request that cannot be processed says so, with the code of the fault', async () => {
  const intentId = await accept(to('ann'))
  await failIntent(
    { tenant_id: tenant, ids: [intentId] },
    Object.assign(new Error('no'), { code: '22P02' }),
    world.planning,
  )
  const told = await explain({ notificationId: notificationId(intentId, 1) })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['failed', 'The request “test.happened” could not be processed (22P02), however often it was tried.'],
  )
  assert.deepEqual(stagesOf(told).at(-1), ['settle', 'request', 'failed', 'processing_failed'])
})

test('what was not decided yet waits, is scheduled, or has expired', async () => {
  clock.set(`${today}T13:00:00Z`)
  const waiting = await accept(to('ann'))
  const told = await explain({ notificationId: notificationId(waiting, 1) })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['waiting', `The request “test.happened” waits in the queue to be decided since ${today}T13:00:00.000Z.`],
  )
  assert.deepEqual(await explain({ intentId: waiting, recipientId: 'ann' }), told)
  const matching = await explain({ intentId: await accept(event('bought')), recipientId: 'bea' })
  assert.deepEqual(
    [matching.outcome, matching.summary],
    ['waiting', `The event “bought” waits in the queue to be matched with the rules since ${today}T13:00:00.000Z.`],
  )
  const later = await accept(to('ann', {}, { scheduledAt: `${tomorrow}T08:00:00.000Z` }))
  const scheduled = await explain({ intentId: later })
  assert.deepEqual(
    [scheduled.outcome, scheduled.summary],
    ['scheduled', `The request “test.happened” waits for ${tomorrow}T08:00:00.000Z, as it was asked for.`],
  )
  assert.equal(scheduled.steps.find(({ gate }) => gate === 'scheduled_at')?.until, `${tomorrow}T08:00:00.000Z`)
  const late = await accept(to('ann', {}, { expiresAt: `${today}T13:00:01.000Z` }))
  clock.advance(1_000)
  const expired = await explain({ notificationId: notificationId(late, 1) })
  assert.deepEqual(
    [expired.outcome, expired.summary],
    ['expired', `Not sent to ann: the request “test.happened” expired at ${today}T13:00:01.000Z.`],
  )
})

test('what was cancelled before it was decided, and after, is told so', async () => {
  const intentId = await accept(to('ann'))
  const id = notificationId(intentId, 1)
  const services = { pool: world.api, clock, ids: world.ids }
  assert.ok(await cancelNotification(services, tenant, id))
  await processIntents({ tenant_id: tenant, ids: [intentId] }, world.planning)
  const told = await explain({ notificationId: id })
  assert.deepEqual([told.outcome, told.summary], ['cancelled', 'Cancelled before it was sent to ann.'])
  assert.deepEqual(stagesOf(told), [
    ['accept', 'request', 'accepted', null],
    ['match', 'request', 'match', null],
    ['settle', 'cancellation', 'cancelled', null],
  ])
  const planned = await plan(to(await person('ann')))
  assert.ok(await cancelNotification(services, tenant, planned.id))
  const after = await explain({ notificationId: planned.id })
  assert.deepEqual([after.outcome, after.summary], ['cancelled', 'Cancelled before it was sent to ann.'])
  assert.ok(after.steps.some(({ gate, verdict }) => gate === 'cancellation' && verdict === 'cancelled'))
})

test('whom a request does not name got nothing of it', async () => {
  const recipients = [
    { type: 'user' as const, id: 'ann' },
    { type: 'role' as const, id: 'crew' },
  ]
  await person('kim', { roles: ['crew'] })
  const { intentId } = await plan(to('', { recipients }))
  const told = await explain({ intentId, recipientId: 'zoe' })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['not_addressed', 'The request names 2 recipients, and zoe is not among them, nor a member of role “crew”.'],
  )
  await person('zoe', { roles: ['crew'] })
  assert.equal(
    (await explain({ intentId, recipientId: 'zoe' })).summary,
    'Zoe was not among the members when the recipients were looked up, and is one now: role “crew”.',
  )
  const kim = await explain({ intentId, recipientId: 'kim' })
  assert.deepEqual(kim.steps.find(({ gate }) => gate === 'audience')?.inputs.roles, ['crew'])
})

test('somebody who is known by an address alone is found by it, and it is not repeated', async () => {
  const recipients = [{ type: 'user' as const, email: 'Max@example.com' }]
  const { intentId } = await plan(to('', { recipients }))
  const told = await explain({ intentId, recipientId: 'max@example.com' })
  assert.equal(told.outcome, 'waiting')
  assert.match(told.summary, /^Waits in the queue to be sent to address:[0-9a-f]{24} by email\.$/)
  assert.doesNotMatch(JSON.stringify(told), /max@example/i)
})

test('a member of a role whose page has not come yet waits for it', async () => {
  for (let n = 10; n < 35; n++) await person(`crowd-${n}`, { roles: ['crowd'] })
  await saveRule({ name: 'crowd', eventTypes: ['crowd.called'], selector: { roles: ['crowd'] } })
  const { intentId } = await plan(event('crowd.called'), { recipientsPerChunk: 10 })
  assert.equal((await explain({ intentId, recipientId: 'crowd-10' })).outcome, 'waiting')
  const told = await explain({ intentId, recipientId: 'crowd-34' })
  assert.deepEqual(
    [told.outcome, told.summary],
    ['waiting', 'Waits to be decided for crowd-34: the recipients of the event “crowd.called” are planned in pages.'],
  )
  await person('crowd-1', { roles: ['crowd'] })
  assert.equal((await explain({ intentId, recipientId: 'crowd-1' })).outcome, 'not_addressed', 'its place has passed')
  for (let done = 0; done < 3; done++) {
    const jobs = (await waitingJobs(world))
      .map(({ data }) => data)
      .filter((data) => 'after' in data && data.ids[0] === intentId)
    if (jobs.length <= done) break
    await processIntents(jobs[done]!, { ...world.planning, recipientsPerChunk: 10 })
  }
  assert.match(
    (await explain({ intentId, recipientId: 'crowd-34' })).summary,
    /^Waits in the queue to be sent to crowd-34/,
  )
})

test('what is asked for must be an id of ours, and one recipient', async () => {
  const many = await plan(to('', { recipients: ['ann', 'bob'].map((id) => ({ type: 'user' as const, id })) }))
  const refused: [object, string, string][] = [
    [{}, 'notificationId', 'notificationId or intentId is missing'],
    [{ notificationId: 'x' }, 'notificationId', 'notificationId is not an id of ours'],
    [{ intentId: many.id, recipientId: 'ann' }, 'intentId', 'intentId is not the id of an intent'],
    [{ intentId: many.intentId }, 'recipientId', 'recipientId is missing: the request has more than one notification'],
    [
      { notificationId: many.id, intentId: world.ids.intentId() },
      'intentId',
      'intentId is of another request than notificationId',
    ],
  ]
  for (const [asked, path, message] of refused) {
    const error = await world.error(explainQuery, asked)
    assert.deepEqual([error.extensions.code, error.extensions.path, error.message], ['BAD_USER_INPUT', [path], message])
  }
  const { key } = await world.newKey(['send'])
  assert.equal((await world.error(explainQuery, { notificationId: many.id }, { key })).extensions.code, 'FORBIDDEN')
})

test('what was decided is seen by its tenant alone, in SQL too', async () => {
  clock.set(noon)
  await person('off', { enabled: false })
  const { id } = await plan(to('off'))
  const look = async (tenantId: string) => {
    const { asTenants } = await import('../../src/platform/db.ts')
    return asTenants(world.api, [tenantId], async (trx) => {
      const { rows } = await trx.query('select id, line from carillon.decisions_of($1)', [id])
      const { rows: all } = await trx.query('select id from carillon.decision_log where id = $1', [id])
      return [rows.length, all.length]
    })
  }
  assert.deepEqual(await look(tenant), [1, 1])
  assert.deepEqual(await look(world.otherTenant), [0, 0])
  const [kept] = await asApi(
    async (trx) =>
      (
        await trx.query<{ line: { reason: string; settings: string } }>({
          text: 'select line from carillon.decisions_of($1)',
          values: [id],
        })
      ).rows,
  )
  assert.equal(kept?.line.reason, 'recipient_disabled')
  assert.match(kept!.line.settings, /^\d+$/)
})
