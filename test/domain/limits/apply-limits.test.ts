import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision, PlannedDelivery } from '../../../src/domain/decision.ts'
import type { Limit } from '../../../src/domain/limit.ts'
import type { Refusal } from '../../../src/domain/limits/allot.ts'
import { applyLimits, asksOf, type Limitable } from '../../../src/domain/limits/apply-limits.ts'
import { endpointAddress } from '../../../src/domain/status-webhook.ts'

const sms: Limit = {
  id: 'sms',
  name: 'SMS a person',
  scope: 'user',
  channel: 'sms',
  max: 10,
  window: { seconds: 3_600 },
  allowCritical: true,
}
const quota: Limit = { ...sms, id: 'q', name: 'a day', scope: 'tenant', window: { calendar: 'day' } }
const until = new Date('2026-03-10T13:00:00Z')
const snoozed: Refusal = { limit: sms, onExcess: 'snooze', until, used: 10, max: 10 }
const suppressed: Refusal = { limit: quota, onExcess: 'suppress', used: 10, max: 10 }

const delivery = (
  channel: PlannedDelivery['channel'],
  state: PlannedDelivery['state'] = 'queued',
  fallbackRank = 0,
) => ({
  channel,
  state,
  address: 'a',
  fallbackRank,
})
const item = (deliveries: PlannedDelivery[], fields: Partial<Limitable> = {}): Limitable & { decision: Decision } => ({
  recipientId: 'ann',
  priority: 1,
  decision: { deliveries, steps: [] },
  ...fields,
})
const states = ({ decision }: Limitable) => decision.deliveries.map(({ channel, state }) => `${channel} ${state}`)

test('only what goes out now asks, and only where a limit concerns it', () => {
  const items = [
    item([delivery('email'), delivery('sms'), delivery('push', 'held', 1)]),
    item([delivery('sms', 'suppressed'), delivery('sms', 'snoozed')]),
    item([], { decision: { outcome: 'expired', deliveries: [delivery('sms')], steps: [] } }),
    item([], { decision: { fold: { key: 'k', policy: {} }, deliveries: [delivery('sms')], steps: [] } }),
    item([delivery('sms')], { category: 'orders', onExcess: 'suppress', priority: 2 }),
  ]
  assert.deepEqual(asksOf(items, [sms]), [
    { deliveryKey: '0 sms', recipientId: 'ann', category: undefined, channel: 'sms', priority: 1, onExcess: undefined },
    { deliveryKey: '4 sms', recipientId: 'ann', category: 'orders', channel: 'sms', priority: 2, onExcess: 'suppress' },
  ])
  assert.deepEqual(asksOf(items, []), [])
})

test('the calls of status webhooks are no messages', () => {
  const webhook = { ...sms, channel: 'webhook' as const, scope: 'tenant' as const }
  const call = { ...delivery('webhook'), address: endpointAddress('01a1fa45-0000-7000-8000-000000000001') }
  assert.equal(asksOf([item([call]), item([delivery('webhook')])], [webhook]).length, 1)
})

test('what is refused waits, or is suppressed, and each that asked has a step', () => {
  const items = [
    item([delivery('sms'), delivery('email')]),
    item([delivery('sms'), delivery('email')]),
    item([delivery('sms')]),
  ]
  const asks = asksOf(items, [sms])
  const isMoreToAsk = applyLimits(
    items,
    [sms],
    asks,
    new Map([
      ['0 sms', snoozed],
      ['1 sms', suppressed],
    ]),
  )
  assert.equal(isMoreToAsk, false)
  assert.deepEqual(items.map(states), [
    ['sms snoozed', 'email queued'],
    ['sms suppressed', 'email queued'],
    ['sms queued'],
  ])
  assert.deepEqual(items[0]!.decision, {
    deliveries: [{ ...delivery('sms'), state: 'snoozed', reason: 'rate_limited', until }, delivery('email')],
    steps: [
      {
        gate: 'rate_limit',
        channel: 'sms',
        verdict: 'snooze',
        reason: 'rate_limited',
        until: until.toISOString(),
        inputs: { limit: 'SMS a person', scope: 'user', used: 10, max: 10, window_seconds: 3_600 },
      },
    ],
  })
  assert.deepEqual(items[1]!.decision.steps, [
    {
      gate: 'rate_limit',
      channel: 'sms',
      verdict: 'suppress',
      reason: 'quota_exceeded',
      inputs: { limit: 'a day', scope: 'tenant', used: 10, max: 10, calendar: 'day' },
    },
  ])
  assert.deepEqual(items[2]!.decision.steps, [
    { gate: 'rate_limit', channel: 'sms', verdict: 'pass', inputs: { limits: ['SMS a person'] } },
  ])
  assert.deepEqual(asksOf(items, [sms]), [], 'nothing asks twice')
})

test('with nothing left to send the notification is suppressed, for that reason', () => {
  const one = item([delivery('sms'), delivery('audit', 'suppressed')])
  applyLimits([one], [sms], asksOf([one], [sms]), new Map([['0 sms', suppressed]]))
  assert.deepEqual([one.decision.outcome, one.decision.reason], ['suppressed', 'quota_exceeded'])
})

test('the first fallback takes its turn where all before it is suppressed, and asks in its turn', () => {
  const one = item([
    delivery('email', 'suppressed'),
    delivery('sms'),
    delivery('push', 'held', 1),
    delivery('voice', 'held', 2),
  ])
  const all = [sms, { ...sms, id: 'p', channel: 'push' as const }]
  assert.equal(applyLimits([one], all, asksOf([one], all), new Map([['0 sms', suppressed]])), true)
  assert.deepEqual(states(one), ['email suppressed', 'sms suppressed', 'push queued', 'voice held'])
  const more = asksOf([one], all)
  assert.deepEqual(
    more.map(({ deliveryKey }) => deliveryKey),
    ['0 push'],
  )
  assert.equal(applyLimits([one], all, more, new Map([['0 push', suppressed]])), true)
  assert.deepEqual(states(one), ['email suppressed', 'sms suppressed', 'push suppressed', 'voice queued'])
  assert.equal(one.decision.outcome, undefined)
})

test('a channel that waits is under way: no fallback takes its place', () => {
  const one = item([delivery('sms'), delivery('push', 'held', 1)])
  assert.equal(applyLimits([one], [sms], asksOf([one], [sms]), new Map([['0 sms', snoozed]])), false)
  assert.deepEqual(states(one), ['sms snoozed', 'push held'])
})

test('what expires before there is room waits until then, and no longer', () => {
  const expiresAt = new Date('2026-03-10T12:30:00Z')
  const one = item([delivery('sms')], { expiresAt })
  applyLimits([one], [sms], asksOf([one], [sms]), new Map([['0 sms', snoozed]]))
  assert.deepEqual(one.decision.deliveries[0]!.until, expiresAt)
})
