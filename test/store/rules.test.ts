import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Rule } from '../../src/domain/rule.ts'
import { asTenants, inTransaction } from '../../src/platform/db.ts'
import { findRuleHistory } from '../../src/store/rule-pages.ts'
import {
  definitionOf,
  deleteRules,
  loadRules,
  loadRuleVersions,
  lockRules,
  ruleOf,
  rulesAt,
  saveRules,
} from '../../src/store/rules.ts'
import { aRule } from '../support/rules.ts'
import { createWorld } from '../support/world.ts'

const world = await createWorld()
const { worker, tenant, otherTenant } = world

const save = (rules: readonly Rule[], now: Date, tenantId = tenant) =>
  inTransaction(worker, (trx) =>
    saveRules(
      trx,
      tenantId,
      rules.map((rule) => ({ id: rule.id, name: rule.name, enabled: rule.enabled, definition: definitionOf(rule) })),
      'test',
      now,
    ),
  )
const remove = (id: string, now: Date) => inTransaction(worker, (trx) => deleteRules(trx, tenant, [id], now))
const at = (minute: number) => new Date(Date.UTC(2026, 0, 15, 10, minute))

describe('rules in the database', () => {
  it('come back as they were written', async () => {
    const rule = aRule({
      eventPattern: 'event.data.total > 1',
      eventTypes: ['a.*'],
      selector: { type: 'role', roles: ['ops'] },
      schedule: { localTime: '09:00' },
      digest: { windowMs: 5 },
      templateVars: { a: { cel: '1' } },
      validFrom: at(0),
      validUntil: at(5),
    })
    const [row] = await save([rule], at(1))
    assert.deepEqual(ruleOf(row!), rule)
    assert.deepEqual(await loadRules(worker, tenant), [rule])
    assert.deepEqual(await loadRules(worker, otherTenant), [])
  })

  it('keep every version, with its time', async () => {
    const rule = aRule()
    await save([rule], at(10))
    assert.equal((await save([rule], at(11))).length, 0, 'the same is no version')
    assert.equal((await save([{ ...rule, priority: 2 }], at(12)))[0]!.version, 2)
    assert.equal((await save([{ ...rule, priority: 2, enabled: false }], at(13)))[0]!.disabled_reason, 'switched_off')
    const historyOf = async () =>
      (await findRuleHistory(worker, tenant, rule.id, 10)).map((version) => [
        version.version,
        version.definition.priority,
        version.enabled,
        version.valid_from.getUTCMinutes(),
        version.valid_to?.getUTCMinutes(),
      ])
    assert.deepEqual(await historyOf(), [
      [3, 2, false, 13, undefined],
      [2, 2, true, 12, 13],
      [1, 1, true, 10, 12],
    ])
    assert.deepEqual(await remove(rule.id, at(14)), [rule.id])
    assert.deepEqual((await historyOf())[0], [3, 2, false, 13, 14])
    assert.deepEqual(await remove(rule.id, at(15)), [])

    const stood = async (minute: number) =>
      (await rulesAt(worker, tenant, at(minute))).find(({ id }) => id === rule.id)?.version
    assert.deepEqual(
      [await stood(9), await stood(10), await stood(11), await stood(12), await stood(13), await stood(14)],
      [undefined, 1, 1, 2, 3, undefined],
    )
    const versions = [2, 1, 9].map((version) => ({ id: rule.id, version }))
    const named = await loadRuleVersions(worker, tenant, versions)
    assert.deepEqual(named.map(({ version, priority }) => [version, priority]).sort(), [
      [1, 1],
      [2, 2],
    ])
    assert.deepEqual(await loadRuleVersions(worker, otherTenant, versions), [])
    assert.deepEqual(await loadRuleVersions(worker, tenant, []), [])
  })

  it('are written many at once, or none', async () => {
    const rules = Array.from({ length: 50 }, () => aRule())
    assert.equal((await save(rules, at(20))).length, 50)
    const [one, two] = rules
    const clash = [
      { ...one!, priority: 3 },
      { ...aRule(), name: two!.name },
    ]
    await assert.rejects(save(clash, at(21)), { code: '23505' })
    assert.equal((await loadRules(worker, tenant)).find(({ id }) => id === one!.id)!.version, 1)
  })

  it('may be called what a rule of another tenant is called, and are not seen by it', async () => {
    const rule = aRule()
    await save([rule], at(30))
    await save([{ ...aRule(), name: rule.name }], at(30), otherTenant)
    const seen = await asTenants(world.api, [otherTenant], (trx) => lockRules(trx, tenant))
    assert.deepEqual(seen, [])
  })

  it('are numbered one after the other when two change one at the same time', async () => {
    const rule = aRule()
    await save([rule], at(40))
    const changes = Array.from({ length: 8 }, (_, index) =>
      save([{ ...rule, description: `${index}` }], at(41 + index)),
    )
    await Promise.all(changes)
    const history = await findRuleHistory(worker, tenant, rule.id, 20)
    assert.deepEqual(
      history.map(({ version }) => version),
      [9, 8, 7, 6, 5, 4, 3, 2, 1],
    )
    assert.equal(history.filter(({ valid_to }) => valid_to === null).length, 1)
  })
})
