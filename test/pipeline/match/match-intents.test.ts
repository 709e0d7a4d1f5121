import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Person } from '../../../src/domain/person.ts'
import { compileRules } from '../../../src/domain/rule-index.ts'
import { matchIntents } from '../../../src/pipeline/match/match-intents.ts'
import { anEvent, aRule } from '../../support/rules.ts'

const person = (id: string, attributes: Record<string, unknown>): Person => ({
  type: 'user',
  id,
  known: true,
  addresses: {},
  enabled: true,
  roles: [],
  groups: [],
  attributes,
  consents: {},
  suppressions: {},
})

test('a variable that cannot be told of somebody is noted once an event, and leaves the others alone', async () => {
  const rule = aRule({ templateVars: { plan: { cel: 'recipient.attributes.plan' } } })
  const intent = { ...anEvent('shop.order.paid'), kind: 'event' as const }
  const { wanted, health } = await matchIntents([intent], compileRules([rule]), new Date('2026-01-15T10:00:00Z'))
  const [want] = wanted
  assert.deepEqual(want!.varsFor!(person('ann', { plan: 'gold' })), { plan: 'gold' })
  assert.deepEqual(health.faults, [])
  assert.equal(want!.varsFor!(person('bob', {})), undefined)
  assert.equal(want!.varsFor!(person('cid', {})), undefined)
  assert.deepEqual(want!.varsFor!(person('dee', { plan: 'tin' })), { plan: 'tin' })
  assert.deepEqual(
    health.faults.map(({ ruleId, intentId }) => [ruleId, intentId]),
    [[rule.id, intent.id]],
  )
  assert.equal(health.streaks.size, 0, 'it is not switched off for what some people lack')
})
