import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision, PlannedDelivery } from '../../../src/domain/decision.ts'
import { isLetThrough, verdictOf } from '../../../src/domain/dry-run/verdict.ts'

const decision = (changes: Partial<Decision>): Decision => ({ deliveries: [], steps: [], ...changes })
const delivery = (changes: Partial<PlannedDelivery>): PlannedDelivery => ({
  channel: 'email',
  state: 'queued',
  address: '',
  fallbackRank: 0,
  ...changes,
})
const audit = delivery({ channel: 'audit', state: 'sent' })
const suppressed = delivery({ channel: 'sms', state: 'suppressed', reason: 'no_address' })
const snoozed = (until: string, reason: PlannedDelivery['reason']) =>
  delivery({ channel: 'push', state: 'snoozed', until: new Date(until), reason })

const cases: { what: string; decision: Partial<Decision>; verdict: string; through: boolean }[] = [
  { what: 'what is queued', decision: { deliveries: [delivery({})] }, verdict: 'sent', through: true },
  {
    what: 'what is queued on one of two channels',
    decision: { deliveries: [suppressed, snoozed('2026-11-21', 'quiet_hours'), delivery({})] },
    verdict: 'sent',
    through: true,
  },
  {
    what: 'what waits, by what ends first',
    decision: { deliveries: [snoozed('2026-11-22', 'send_window'), snoozed('2026-11-21', 'quiet_hours'), suppressed] },
    verdict: 'snoozed:quiet_hours',
    through: true,
  },
  { what: 'what waits in a digest', decision: { fold: { key: 'k', policy: {} } }, verdict: 'folded', through: true },
  { what: 'the audit line alone', decision: { deliveries: [audit] }, verdict: 'sent', through: true },
  {
    what: 'the audit line beside a channel that was stopped',
    decision: { deliveries: [audit, suppressed] },
    verdict: 'suppressed:no_address',
    through: false,
  },
  {
    what: 'what was suppressed as a whole',
    decision: { outcome: 'suppressed', reason: 'opted_out', deliveries: [suppressed] },
    verdict: 'suppressed:opted_out',
    through: false,
  },
  { what: 'what has expired', decision: { outcome: 'expired', reason: 'expired' }, verdict: 'expired', through: false },
  {
    what: 'what cannot be said',
    decision: { outcome: 'failed', reason: 'rule_error' },
    verdict: 'failed:rule_error',
    through: false,
  },
]
for (const { what, decision: said, verdict, through } of cases) {
  test(`the verdict on ${what} is ${verdict}`, () => {
    assert.equal(verdictOf(decision(said)), verdict)
    assert.equal(isLetThrough(verdict), through)
  })
}
