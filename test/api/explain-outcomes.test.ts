/** What became of a notification behind the gates: every failure, what waits for another attempt, what was stopped later, and digests. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cancelNotification } from '../../src/api/graphql/cancel-mutation.ts'
import { undefinedCategory } from '../../src/domain/category.ts'
import { notificationId } from '../../src/domain/ids.ts'
import { type AttemptOutcome, type FailureReason, failureReasons } from '../../src/domain/outcome.ts'
import { upsertCategory } from '../../src/store/categories.ts'
import { replayDeadLetters } from '../../src/store/dead-letters.ts'
import { processIntents } from '../../src/workers/process-intents.ts'
import { createExplaining, dayAfter, gateOrder, type ToldExplanation, today, tomorrow } from './explaining.ts'

const on = await createExplaining()
const { world, clock, asApi, passed, person, prefer, to, event, plan, saveRule, explain, send, again, closeDigests } =
  on
const { tenant, worker, ids } = world

const told = (explanation: ToldExplanation) => [explanation.outcome, explanation.summary]
const ofStage = ({ steps }: ToldExplanation, ...stages: string[]) =>
  steps
    .filter(({ stage }) => stages.includes(stage))
    .map(({ gate, channel, verdict, reason }) => [gate, channel, verdict, reason])
const accepted: AttemptOutcome = { kind: 'accepted', providerMessageId: 'p-1' }
const rejected = (reason: FailureReason, retryable = false, detail = ''): AttemptOutcome => {
  return { kind: 'rejected', reason, retryable, detail }
}

test('what was sent names the channel and the moment, and each attempt', async () => {
  const { id } = await plan(to(await person('ann')))
  clock.advance(1_000)
  await send(id, 'email', accepted)
  const explanation = await explain({ notificationId: id })
  assert.deepEqual(told(explanation), ['sent', `Sent to ann by email at ${today}T12:00:01.000Z.`])
  assert.deepEqual(ofStage(explanation, 'plan', 'send', 'settle'), [
    ['plan', null, 'planned', null],
    ['attempt', 'EMAIL', 'accepted', null],
    ['delivery', 'EMAIL', 'sent', null],
  ])
  const gates = explanation.steps.filter(({ stage }) => stage === 'permit')
  assert.deepEqual(
    gates.map(({ gate, verdict, reason }) => [gate, verdict, reason]),
    gateOrder.map((gate) => [gate, 'pass', 'nothing_set']),
  )
  const attempt = explanation.steps.find(({ gate }) => gate === 'attempt')!
  assert.deepEqual(attempt.inputs, { attempt: 1, provider: 'scripted', took_ms: 0 })
})

test('what has arrived is told so', async () => {
  const { id } = await plan(to('ann'))
  await send(id, 'email', accepted)
  // No provider tells of receipts yet.
  await world.admin.query(
    `update carillon.deliveries set state = 'delivered', delivered_at = $2 where id > $1 and id <= carillon.last_id_of($1)`,
    [id, clock.now()],
  )
  assert.deepEqual(told(await explain({ notificationId: id })), [
    'delivered',
    `Delivered to ann by email at ${clock.now().toISOString()}.`,
  ])
})

test('a channel that got through speaks first, and the others say why they did not', async () => {
  const { id } = await plan(to('ann', { channels: ['email', 'sms', 'in_app'] }))
  await send(id, 'in_app')
  await send(id, 'email', rejected('invalid_recipient', false, '550 no such user'))
  assert.deepEqual(told(await explain({ notificationId: id })), [
    'sent',
    `Sent to ann by in_app at ${clock.now().toISOString()}; email failed: attempt 1 failed with invalid_recipient (550 no such user); not by sms: no address of the recipient is known.`,
  ])
})

const failing: Record<
  FailureReason,
  { how?: string; outcome?: AttemptOutcome; make?(id: string): Promise<unknown>; said?: string }
> = {
  transient: { outcome: rejected('transient', true, '451 later') },
  throttled: { outcome: rejected('throttled', true, '429') },
  invalid_recipient: { outcome: rejected('invalid_recipient', false, '550 no') },
  content_refused: { outcome: rejected('content_refused') },
  misconfigured: { said: 'misconfigured (no provider is configured for email)' },
  permanent: { outcome: rejected('permanent') },
  render_failed: { said: 'render_failed (template broken: TypeError)' },
  endpoint_disabled: { said: 'endpoint_disabled (the endpoint is switched off)' },
  timeout: { outcome: { kind: 'unknown', reason: 'timeout', detail: 'no answer in 10 s' } },
}

for (const reason of failureReasons) {
  test(`${reason} is told with its attempt, and in the words of the provider`, async () => {
    const { outcome, said } = failing[reason]
    const channel = reason === 'endpoint_disabled' ? 'webhook' : 'email'
    const { id } = await plan(await failingRequest(reason))
    await send(id, channel, outcome)
    const detail = outcome && 'detail' in outcome && outcome.detail ? ` (${outcome.detail})` : ''
    const explanation = await explain({ notificationId: id })
    assert.deepEqual(told(explanation), [
      'failed',
      `Failed for ann: ${channel}: attempt 1 failed with ${said ?? reason + detail}.`,
    ])
    assert.deepEqual(ofStage(explanation, 'send', 'settle'), [
      ['attempt', channel.toUpperCase(), outcome?.kind ?? 'rejected', reason],
      ['delivery', channel.toUpperCase(), 'failed', reason],
    ])
  })
}

async function failingRequest(reason: FailureReason) {
  if (reason === 'render_failed') {
    await world.admin.query(
      `insert into carillon.templates (tenant_id, id, name, version, channels, created_at, updated_at) values ($1, $2, 'broken', '7',
         '{"email": {"subject": "<%= it.order.number %>", "body": "x"}}', now(), now())`,
      [tenant, ids.id()],
    )
    passed()
    return to('ann', { template: 'broken', subject: undefined, body: undefined })
  }
  if (reason === 'endpoint_disabled') {
    const url = 'https://hooks.example.com/gone'
    await plan(to('ann', { recipients: [{ type: 'user', id: 'ann', webhookUrl: url }], channels: ['webhook'] }))
    await world.admin.query(
      `update carillon.webhook_endpoints set disabled_at = now(), disabled_reason = 'gone' where url = $1`,
      [url],
    )
    return to('ann', { recipients: [{ type: 'user', id: 'ann', webhookUrl: url }], channels: ['webhook'] })
  }
  return to('ann')
}

test('the version of a template is told with every gate that was asked', async () => {
  const { id } = await plan(
    to('ann', { template: 'broken', subject: undefined, body: undefined }, { expiresAt: `${tomorrow}T12:00:00.000Z` }),
  )
  const { steps } = await explain({ notificationId: id })
  const validity = steps.find(({ gate }) => gate === 'validity')!
  assert.deepEqual(
    [validity.verdict, validity.inputs, validity.versions?.template],
    ['pass', { expires_at: `${tomorrow}T12:00:00.000Z` }, 'broken@7'],
  )
  assert.ok(steps.filter(({ stage }) => stage === 'permit').every(({ versions }) => versions?.template === 'broken@7'))
})

test('what failed and is tried again waits for the next attempt', async () => {
  const { id } = await plan(to('ann'))
  const at = clock.now().getTime()
  await send(id, 'email', rejected('transient', true, '451 later'), [60_000])
  const next = new Date(at + 60_000).toISOString()
  const explanation = await explain({ notificationId: id })
  assert.deepEqual(told(explanation), [
    'waiting',
    `Waits until ${next} for another attempt to ann by email: attempt 1 failed with transient (451 later).`,
  ])
  assert.equal(explanation.steps.at(-1)?.until, next)
  clock.advance(60_000)
  await send(id, 'email', accepted, [60_000])
  assert.deepEqual(
    ofStage(await explain({ notificationId: id }), 'send').map(([, , verdict]) => verdict),
    ['rejected', 'accepted'],
  )
})

test('what expired in the queue was too late to be sent', async () => {
  const { id } = await plan(to('ann', {}, { expiresAt: new Date(clock.now().getTime() + 60_000).toISOString() }))
  clock.advance(60_000)
  await send(id, 'email', accepted)
  const explanation = await explain({ notificationId: id })
  assert.deepEqual(told(explanation), ['expired', `Not sent to ann: it expired at ${clock.now().toISOString()}.`])
  assert.deepEqual(ofStage(explanation, 'send'), [['expiry', 'EMAIL', 'expire', 'expired']])
})

test('a fallback is told to be held, and to have had its turn', async () => {
  const { id } = await plan(to('ann', { fallbackChannels: ['in_app'] }))
  const before = await explain({ notificationId: id })
  assert.deepEqual(ofStage(before, 'settle'), [
    ['delivery', 'EMAIL', 'queued', null],
    ['delivery', 'IN_APP', 'held', null],
  ])
  await send(id, 'email', rejected('permanent'))
  await again() // where the gates are asked of it once more
  const explanation = await explain({ notificationId: id })
  assert.match(
    explanation.summary,
    /^Waits in the queue to be sent to ann by in_app; email failed: attempt 1 failed with permanent\.$/,
  )
})

test('a dead letter that was sent on its way again says by whom', async () => {
  const { id } = await plan(to('ann'))
  await send(id, 'email', rejected('permanent'))
  await asApi((trx) => replayDeadLetters(trx, tenant, [`${id.slice(0, 34)}01`], 'eve', clock.now()))
  const explanation = await explain({ notificationId: id })
  assert.equal(explanation.outcome, 'waiting')
  assert.deepEqual(explanation.steps.find(({ gate }) => gate === 'replay')?.inputs, { by: 'eve' })
})

test('what waited and was decided again tells both decisions in order', async () => {
  clock.set(`${today}T20:00:00Z`)
  const who = await person('owl')
  await prefer(who, { quietHours: { enabled: true, startTime: '20:00', endTime: '07:00', allowCritical: true } })
  const { id } = await plan(to(who))
  clock.set(`${tomorrow}T06:00:00Z`)
  await again()
  await send(id, 'email', accepted)
  const explanation = await explain({ notificationId: id })
  assert.deepEqual(told(explanation), ['sent', `Sent to owl by email at ${tomorrow}T06:00:00.000Z.`])
  const quiet = explanation.steps.filter(({ gate }) => gate === 'quiet_hours')
  assert.deepEqual(
    quiet.map(({ verdict, until, channel, at, versions }) => [verdict, until, channel, at, versions?.preferences]),
    [
      ['snooze', `${tomorrow}T06:00:00.000Z`, null, `${today}T20:00:01.000Z`, 1],
      ['pass', null, 'EMAIL', `${tomorrow}T06:00:00.000Z`, 1],
    ],
  )
  assert.deepEqual(
    ofStage(explanation, 'plan').map(([, , verdict]) => verdict),
    ['planned', 'decided_again'],
  )
  const times = explanation.steps.map(({ at }) => at)
  assert.deepEqual(times, times.toSorted())
})

test('a decision that found nothing set the second time is told too', async () => {
  clock.set(`${tomorrow}T20:00:00Z`)
  const { id } = await plan(to(await person('wren'), { schedule: { delayMs: 60_000 } }))
  assert.equal((await explain({ notificationId: id })).outcome, 'scheduled')
  clock.advance(60_000)
  await again()
  const explanation = await explain({ notificationId: id })
  assert.equal(explanation.outcome, 'waiting')
  assert.deepEqual(
    explanation.steps.filter(({ gate }) => gate === 'schedule').map(({ verdict }) => verdict),
    ['snooze', 'pass'],
  )
})

test('what somebody switches off while it is in the queue was stopped by that, and by no gate that was asked then', async () => {
  clock.set(`${dayAfter}T13:00:00Z`)
  const who = await person('late')
  const { id } = await plan(to(who))
  clock.advance(5_000)
  await prefer(who, { enabled: false })
  const explanation = await explain({ notificationId: id })
  assert.deepEqual(told(explanation), [
    'suppressed',
    'Not sent to late: the recipient’s preferences switch everything off.',
  ])
  const later = explanation.steps.filter(({ stage, at }) => stage === 'permit' && at === `${dayAfter}T13:00:05.000Z`)
  assert.deepEqual(
    later.map(({ gate, channel, verdict, reason }) => [gate, channel, verdict, reason]),
    [['preference', 'EMAIL', 'suppress', 'opted_out']],
  )
})

test('what waited, and was stopped when it was decided again, says why and since when', async () => {
  const who = await person('sleeper')
  const quiet = { enabled: true, startTime: '12:00', endTime: '20:00', allowCritical: true }
  await prefer(who, { quietHours: quiet })
  const { id } = await plan(to(who, { channels: ['email', 'in_app'] }))
  assert.match(
    (await explain({ notificationId: id })).summary,
    /^Waits in the queue to be sent to sleeper by in_app; still to come by email: quiet/,
  )
  clock.advance(60_000)
  await prefer(who, { channels: { email: { enabled: false } } })
  await again()
  const explanation = await explain({ notificationId: id })
  assert.equal(
    explanation.summary,
    'Waits in the queue to be sent to sleeper by in_app; not by email: the recipient’s preferences switch the channel off.',
  )
  const preference = explanation.steps.filter(({ gate }) => gate === 'preference')
  assert.deepEqual(
    preference.map(({ channel, verdict, versions }) => [channel, verdict, versions?.preferences]),
    [
      [null, 'pass', 1],
      ['EMAIL', 'suppress', 2],
    ],
  )
})

async function news(who: string) {
  await upsertCategory(
    worker,
    tenant,
    { ...undefinedCategory('news'), frequency: 'digest', digest: { windowMs: 600_000 } },
    clock.now(),
  )
  passed()
  return plan(to(await person(who), {}, { category: 'news' }))
}

test('a member of a digest says in which it waits, and what it went out as', async () => {
  const { id } = await news('reader')
  const waiting = await explain({ notificationId: id })
  const [, digest] = /into digest ([0-9a-f-]{36}), which goes out at/.exec(waiting.summary) ?? []
  assert.ok(digest)
  assert.deepEqual(ofStage(waiting, 'plan', 'settle'), [
    ['plan', null, 'folded', null],
    ['digest', null, 'waiting', null],
  ])
  clock.advance(600_000)
  await closeDigests()
  const [sent] = await world.rows<{ intent_id: string }>('select intent_id from carillon.digests where id = $1', [
    digest,
  ])
  const out = notificationId(sent!.intent_id, 1)
  const explanation = await explain({ notificationId: id })
  assert.deepEqual(told(explanation), [
    'folded',
    `Folded for reader into digest ${digest}, which went out as notification ${out} (pending).`,
  ])
  await processIntents({ tenant_id: tenant, ids: [sent!.intent_id] }, world.planning)
  await send(out, 'email', accepted)
  assert.match((await explain({ notificationId: id })).summary, /\(sent\)\.$/)
  const ofDigest = await explain({ notificationId: out })
  assert.equal(ofDigest.outcome, 'sent')
  assert.equal(ofDigest.steps[0]?.inputs.digest_id, digest)
  const last = (await explain({ notificationId: id })).steps.at(-1)!
  assert.deepEqual(
    [last.gate, last.verdict, last.inputs.close_reason, last.inputs.folded],
    ['digest', 'digested', 'window', 1],
  )
})

test('a member that may not go out any more when its digest is closed says why', async () => {
  const { id } = await news('leaver')
  await prefer('leaver', { categories: { news: { enabled: false } } })
  clock.advance(600_000)
  await closeDigests()
  const explanation = await explain({ notificationId: id })
  assert.equal(explanation.outcome, 'suppressed')
  assert.match(
    explanation.summary,
    /^Not sent to leaver when digest \S+ was closed: the recipient’s preferences switch the category off\.$/,
  )
  const permit = explanation.steps.filter(
    ({ stage, verdict }) => stage === 'permit' && verdict !== 'pass' && verdict !== 'not_asked',
  )
  assert.deepEqual(
    permit.map(({ gate, verdict, reason }) => [gate, verdict, reason]),
    [
      ['digest', 'fold', 'digest'],
      ['preference', 'suppress', 'category_opted_out'],
    ],
  )
})

test('a member that was cancelled while it waited in a digest says so', async () => {
  const { id } = await news('undecided')
  assert.ok(await cancelNotification({ pool: world.api, clock, ids }, tenant, id))
  const explanation = await explain({ notificationId: id })
  assert.equal(explanation.outcome, 'cancelled')
  assert.match(explanation.summary, /^Cancelled for undecided while it waited in digest [0-9a-f-]{36}\.$/)
})

test('a notification of a rule names it, with the version that took part and not that of today', async () => {
  const made = await saveRule({
    name: 'shipped',
    eventTypes: ['shipped'],
    selector: { expression: 'event.data.buyer' },
  })
  const { intentId } = await plan(event('shipped', { buyer: 'ann' }))
  clock.advance(1_000)
  await saveRule({ ...made, eventTypes: ['other'] })
  const explanation = await explain({ intentId, recipientId: 'ann' })
  assert.deepEqual(told(explanation), ['waiting', 'Waits in the queue to be sent to ann (rule “shipped”) by email.'])
  const rule = explanation.steps.find(({ gate, inputs }) => gate === 'rule' && inputs.rule === 'shipped')!
  assert.deepEqual([rule.verdict, rule.versions], ['match', { rule: 'shipped@1' }])
  const audience = explanation.steps.find(({ gate }) => gate === 'audience')!
  assert.deepEqual(audience.inputs.by, ['expression'])
})
