import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Claims, type Ledger, reconcile } from './reconcile.ts'

const ledger: Ledger = {
  intents: 10,
  keys: 10,
  notifications: 10,
  deliveries: 10,
  pending: 0,
  sent: 10,
  failed: 0,
  attempts: 10,
  auditLines: 10,
  begun: 10,
  received: 10,
  enriched: 10,
  requested: 10,
  sentEvents: 10,
  events: 40,
}
const claims: Claims = {
  accepted: 10,
  unanswered: 0,
  service: { providerCalls: 10, repeatedCalls: 0, misrendered: 0, settled: 10 },
  feed: { messages: 40, published: 40, failures: {} },
}

test('a run in which everything is on record has no fault', () => {
  assert.deepEqual(reconcile(ledger, claims), [])
})

test('what is still pending is not missing', () => {
  const pending = { ...ledger, pending: 2, sent: 8, attempts: 8, sentEvents: 8, events: 38 }
  const service = { ...claims.service, providerCalls: 9, settled: 8 }
  const feed = { messages: 38, published: 38, failures: {} }
  assert.deepEqual(reconcile(pending, { ...claims, service, feed }), [])
})

test('a request without an answer may be in or not', () => {
  for (const accepted of [8, 9, 10]) assert.deepEqual(reconcile(ledger, { ...claims, accepted, unanswered: 2 }), [])
})

const faulty: [string, Partial<Ledger>, Partial<Claims>][] = [
  ['an intent that was accepted and is gone', {}, { accepted: 11 }],
  ['an intent that nobody was told of', {}, { accepted: 9 }],
  ['a delivery that is neither settled nor pending', { sent: 9, sentEvents: 9, events: 39 }, {}],
  ['an attempt that is not on record', { attempts: 9 }, {}],
  ['a provider that was called once more', {}, { service: { ...claims.service, providerCalls: 11, repeatedCalls: 1 } }],
  ['an event that is missing', { sentEvents: 9, events: 39 }, {}],
  ['an intent that was planned, and not told of as enriched', { enriched: 9, events: 39 }, {}],
  ['an event that nobody expects', { events: 41 }, {}],
  ['a key that is missing', { keys: 9 }, {}],
  ['an audit line that is missing', { auditLines: 9 }, {}],
  ['a message that says something else', {}, { service: { ...claims.service, misrendered: 1 } }],
  ['an event that Kafka does not hold', {}, { feed: { messages: 39, published: 40, failures: {} } }],
  ['an event that Kafka holds twice', {}, { feed: { messages: 41, published: 40, failures: {} } }],
  ['a failed delivery, where no provider fails', { sent: 9, failed: 1 }, {}],
]

for (const [what, wrongLedger, wrongClaims] of faulty) {
  test(`found: ${what}`, () => {
    assert.notEqual(reconcile({ ...ledger, ...wrongLedger }, { ...claims, ...wrongClaims }).length, 0)
  })
}
