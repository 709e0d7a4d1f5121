import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileRule } from '../../../src/domain/compile-rule.ts'
import type { Rule } from '../../../src/domain/rule.ts'
import { compileRules } from '../../../src/domain/rule-index.ts'
import { explainRule } from '../../../src/pipeline/match/explain-rule.ts'
import { matchEvents } from '../../../src/pipeline/match/match-events.ts'
import { anEvent, aRule } from '../../support/rules.ts'

const now = new Date('2026-01-15T12:00:00Z')
const event = anEvent('commerce.order.shipped', { total: 150 })

const cases: [what: string, changes: Partial<Rule>, verdict: string, inputs?: object][] = [
  ['matches', { eventPattern: 'event.data.total > 100' }, 'matched'],
  ['is switched off', { enabled: false }, 'switched_off', {}],
  [
    'does not hold yet',
    { validFrom: now },
    'not_in_force',
    { acceptedAt: '2026-01-15T10:00:00.000Z', validFrom: '2026-01-15T12:00:00.000Z' },
  ],
  ['is of another domain', { domains: ['billing'] }, 'other_domain', { domain: 'commerce', domains: ['billing'] }],
  [
    'is of another type',
    { eventTypes: ['commerce.refund.*'] },
    'other_type',
    { type: 'commerce.order.shipped', eventTypes: ['commerce.refund.*'] },
  ],
  [
    'says no',
    { eventPattern: 'event.data.total > 1000' },
    'pattern_false',
    { type: 'commerce.order.shipped', domain: 'commerce', eventPattern: 'event.data.total > 1000' },
  ],
  ['names its type in CEL', { eventPattern: 'event.type == "x"' }, 'pattern_false'],
  ['fails', { eventPattern: 'event.data.missing > 1' }, 'fault'],
]

for (const [what, changes, verdict, inputs] of cases) {
  test(`a rule that ${what} is told as ${verdict}, as matching has it`, () => {
    const rule = aRule(changes)
    const answer = explainRule(compileRule(rule), event, now)
    assert.equal(answer.verdict, verdict)
    if (inputs) assert.deepEqual(answer.inputs, inputs)
    const { matched, health } = matchEvents([event], compileRules([rule]), now)
    assert.equal(matched.length === 1, verdict === 'matched')
    assert.equal(health.faults.length === 1, verdict === 'fault')
  })
}
