import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explain } from '../../../src/domain/explain/explain.ts'
import { explanationOutcomes } from '../../../src/domain/explain/explanation.ts'
import type { IntentStory, NotificationStory, RequestStory, RuleAnswer } from '../../../src/domain/explain/story.ts'

const at = new Date('2026-11-20T12:00:00Z')
const later = new Date('2026-11-20T12:05:00Z')
const intentId = '0190a1b2-c3d4-7000-8000-000000000000'
const id = '0190a1b2-c3d4-7000-8000-000000000100'

const intent: IntentStory = {
  id: intentId,
  kind: 'event',
  type: 'shop.order.paid',
  priority: 1,
  category: null,
  source: 'sql',
  eventId: 'order-7',
  idempotencyKey: null,
  correlationId: null,
  acceptedAt: at,
  scheduledAt: null,
  expiresAt: null,
  outcome: null,
  payload: {},
  recipients: 0,
  events: [],
}
const story = (over: Partial<RequestStory>): RequestStory => ({
  now: later,
  intentId,
  intent,
  recipientId: 'ann',
  rules: [],
  notifications: [],
  ...over,
})
const notification = (over: Partial<NotificationStory>): NotificationStory => ({
  id,
  recipientType: 'user',
  recipientId: 'ann',
  channels: ['email'],
  expiresAt: null,
  outcome: null,
  reason: null,
  deliveries: [],
  attempts: [],
  events: [],
  decisions: [],
  named: { by: ['user'] },
  ...over,
})
const event = (type: string, subjectId: string, data = {}) => ({ type, subjectId, data, at: later, batch: intentId })
const delivery = (over: Partial<NotificationStory['deliveries'][number]>): NotificationStory['deliveries'][number] => ({
  id: `${id.slice(0, 34)}01`,
  channel: 'email',
  state: 'sent',
  attempt: 1,
  fallbackRank: 0,
  reason: null,
  nextAttemptAt: null,
  sentAt: at,
  deliveredAt: null,
  until: null,
  ...over,
})
const rule = (n: number, over: Partial<RuleAnswer> = {}): RuleAnswer => ({
  rule: { id: `r${n}`, name: `rule ${n}`, version: 1 },
  verdict: 'no_match',
  reason: 'other_type',
  inputs: {},
  ...over,
})

test('a request that was cancelled as a whole says so', () => {
  const events = [event('notification.intent.cancelled', intentId, { reason: 'cancelled' })]
  const told = explain(story({ intent: { ...intent, outcome: 'cancelled', events } }))
  assert.deepEqual(
    [told.outcome, told.summary],
    ['cancelled', 'The event “shop.order.paid” was cancelled before ann was notified.'],
  )
  const last = told.steps.at(-1)!
  assert.deepEqual([last.stage, last.gate, last.verdict], ['settle', 'request', 'cancelled'])
})

test('rules that are far from an event are told one by one up to a number, those that are near always', () => {
  const rules = Array.from({ length: 1_000 }, (_, n) => rule(n, n % 10 === 0 ? { reason: 'pattern_false' } : {}))
  const told = explain(story({ rules, decidedAt: at, intent: { ...intent, outcome: 'unmatched' } }))
  const steps = told.steps.filter(({ gate }) => gate === 'rule')
  assert.equal(steps.filter(({ reason }) => reason === 'pattern_false').length, 100)
  assert.equal(steps.length, 100 + 200 + 1)
  assert.deepEqual(steps.at(-1)?.inputs, { rules: 700 })
  assert.match(told.summary, /1000 were there, 100 whose pattern is false, 900 of other types\.$/)
})

test('an alert that was over before its group was told of, and one whose group was, are told apart', () => {
  const digest: NotificationStory['digest'] = {
    id: 'd1',
    key: 'rule:1',
    kind: 'group',
    state: 'closed',
    openedAt: at,
    closesAt: later,
    closedAt: later,
    closeReason: 'resolved',
    count: 1,
    folded: 0,
  }
  const over = explain(story({ notifications: [notification({ digest, outcome: 'suppressed', reason: 'resolved' })] }))
  assert.deepEqual(
    [over.outcome, over.summary],
    ['suppressed', 'Not sent to ann when alert group d1 was closed: the alert was over before its group was told of.'],
  )
  const sent = { ...digest, notification: { id: 'n1', status: 'sent' as const } }
  const told = explain(story({ notifications: [notification({ digest: sent, outcome: 'sent', reason: 'digested' })] }))
  assert.equal(told.summary, 'Folded for ann into alert group d1, which went out as notification n1 (sent).')
  const gone = explain(story({ notifications: [notification({ outcome: 'sent', reason: 'digested' })] }))
  assert.equal(gone.summary, 'Folded for ann into a digest, which has gone out.', 'the digest is past its retention')
})

test('what came back after a provider had taken it failed, and what people did with it is told', () => {
  const bounced = delivery({ state: 'bounced', reason: 'hard_bounce' })
  const events = [event('notification.email.bounced', bounced.id, { reason: 'hard_bounce' })]
  const told = explain(story({ notifications: [notification({ deliveries: [bounced], events })] }))
  assert.deepEqual([told.outcome, told.summary], ['failed', 'Failed for ann: email: hard_bounce.'])
  const receipt = told.steps.find(({ gate }) => gate === 'receipt')!
  assert.deepEqual([receipt.channel, receipt.verdict, receipt.reason], ['email', 'bounced', 'hard_bounce'])
})

test('of a fallback that waits to be asked the moment is told', () => {
  const deliveries = [
    delivery({ state: 'failed', reason: 'permanent' }),
    delivery({ id: `${id.slice(0, 34)}0b`, channel: 'in_app', state: 'snoozed', until: later, fallbackRank: 1 }),
  ]
  const { summary } = explain(story({ notifications: [notification({ deliveries })] }))
  assert.equal(summary, 'Waits until 2026-11-20T12:05:00.000Z to be sent to ann by in_app; email failed: permanent.')
})

test('steps of one moment stay in the order of the stages', () => {
  const events = [event('notification.email.requested', delivery({}).id)].map((one) => ({ ...one, at }))
  const attempts = [
    {
      ...{ channel: 'email' as const, attempt: 1, provider: 'smtp', outcome: 'accepted', reason: null, detail: null },
      startedAt: at,
      completedAt: at,
    },
  ]
  const told = explain(
    story({
      rules: [rule(1, { verdict: 'match' })],
      decidedAt: at,
      notifications: [notification({ deliveries: [delivery({})], events, attempts })],
    }),
  )
  const stages = told.steps.map(({ stage }) => stage).filter((stage, place, all) => stage !== all[place - 1])
  assert.deepEqual(stages, ['accept', 'match', 'enrich', 'permit', 'plan', 'send', 'settle'])
  assert.ok(explanationOutcomes.includes(told.outcome))
})
