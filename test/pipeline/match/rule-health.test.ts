import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { pino } from 'pino'
import type { Rule } from '../../../src/domain/rule.ts'
import { compileRules } from '../../../src/domain/rule-index.ts'
import { type EventIntent, matchEvents } from '../../../src/pipeline/match/match-events.ts'
import { createRuleHealth } from '../../../src/pipeline/match/rule-health.ts'
import { inTransaction, statement } from '../../../src/platform/db.ts'
import { createMetrics } from '../../../src/platform/metrics.ts'
import { findRuleFaults } from '../../../src/store/rule-pages.ts'
import { definitionOf, loadRules, rulesAt, saveRules } from '../../../src/store/rules.ts'
import { eventually } from '../../support/eventually.ts'
import { anEvent, aRule } from '../../support/rules.ts'
import { testClock } from '../../support/test-clock.ts'
import { createWorld } from '../../support/world.ts'

const clock = testClock(new Date()) // status events go to today’s partition
const world = await createWorld(clock)
const { worker, tenant } = world

const save = (rule: Rule) =>
  inTransaction(worker, (trx) => {
    const { id, name, enabled } = rule
    return saveRules(trx, tenant, [{ id, name, enabled, definition: definitionOf(rule) }], 'test', clock.now())
  })

const log: string[] = []
const metrics = createMetrics()
const newHealth = (errorStreak = 3, gatherMs = 60_000) =>
  createRuleHealth({
    pool: worker,
    clock,
    ids: world.ids,
    metrics,
    errorStreak,
    gatherMs,
    logger: pino({ level: 'warn' }, { write: (line: string) => void log.push(line) }),
  })

/** Lets events come, a chunk each, and what is known of the rule then. */
async function after(rule: Rule, chunks: EventIntent[][], health = newHealth()) {
  const rules = compileRules([rule])
  for (const chunk of chunks) health.observe(tenant, matchEvents(chunk, rules, clock.now()).health, rules)
  await health.close()
  const [faults] = await findRuleFaults(worker, tenant, [rule.id])
  const now = (await loadRules(worker, tenant)).find(({ id }) => id === rule.id)!
  return {
    streak: faults?.streak,
    total: faults && Number(faults.total),
    enabled: now.enabled,
    version: now.version,
    faults,
  }
}

async function aFailingRule(changes: Partial<Rule> = {}): Promise<Rule> {
  const rule = aRule({ eventPattern: 'event.data.total > 100', ...changes })
  await save(rule)
  return rule
}

const bad = () => anEvent('a', {})
const good = () => anEvent('a', { total: 1 })

describe('the faults of a rule', () => {
  it('are noted, with the last one', async () => {
    const rule = await aFailingRule()
    const last = bad()
    const { faults, ...noted } = await after(rule, [[bad(), last]])
    assert.deepEqual(noted, { streak: 2, total: 2, enabled: true, version: 1 })
    assert.deepEqual(
      [faults!.last_code, faults!.last_part, faults!.last_intent_id, faults!.last_at],
      ['no_such_field', 'eventPattern', last.id, clock.now()],
    )
    assert.match(faults!.last_message, /no such field/)
  })

  it('are in a row until it does well, in one chunk or another, in this process or another', async () => {
    const rule = await aFailingRule()
    assert.equal((await after(rule, [[bad(), bad()]])).streak, 2)
    assert.equal((await after(rule, [[good(), bad()]])).streak, 1)
    assert.equal((await after(rule, [[bad()]])).streak, 2)
    const { streak, total, enabled } = await after(rule, [[good()]])
    assert.deepEqual([streak, total, enabled], [0, 4, true])
    assert.equal((await after(rule, [[bad()], [bad(), good()], [bad()]])).streak, 1)
  })

  it('are not noted of a rule that does well', async () => {
    const rule = await aFailingRule()
    assert.equal((await after(rule, [[good()]])).faults, undefined)
  })

  it('are counted by their reason', async () => {
    const rule = await aFailingRule()
    await after(rule, [[anEvent('a', { total: 'x' })]])
    assert.match(await metrics.registry.metrics(), /carillon_rule_errors_total\{reason="type"\} 1/)
  })

  it('so many in a row switch it off, as a version, with an event and a line in the log', async () => {
    const rule = await aFailingRule()
    clock.advance(60_000)
    const { faults, ...noted } = await after(rule, [[bad()], [bad(), bad()]])
    assert.deepEqual(noted, { streak: 3, total: 3, enabled: false, version: 2 })
    assert.ok(faults)
    const events = await world.rows<{ subject_id: string; data: unknown }>(
      `select subject_id, data from carillon.status_events where type = 'carillon.rule.disabled' and subject_id = $1`,
      [rule.id],
    )
    assert.deepEqual(events, [
      {
        subject_id: rule.id,
        data: {
          reason: 'failing',
          attributes: { rule: rule.name, version: '1', code: 'no_such_field', part: 'eventPattern' },
        },
      },
    ])
    assert.ok(log.some((line) => line.includes(rule.id) && line.includes('was switched off')))
    const before = new Date(clock.now().getTime() - 1)
    const enabledAt = async (at: Date) => (await rulesAt(worker, tenant, at)).find(({ id }) => id === rule.id)!.enabled
    assert.deepEqual([await enabledAt(before), await enabledAt(clock.now())], [true, false])
    const [row] = await world.rows<{ disabled_reason: string }>(
      'select disabled_reason from carillon.rules where id = $1',
      [rule.id],
    )
    assert.equal(row!.disabled_reason, 'failing')

    const again = await after(rule, [[bad(), bad(), bad()]])
    assert.deepEqual([again.version, again.total], [2, 3], 'what is said of an old version is dropped')
  })

  it('begin anew when a person has changed it', async () => {
    const rule = await aFailingRule()
    await after(rule, [[bad(), bad(), bad()]])
    const [row] = await save({ ...rule, eventPattern: 'has(event.data.total) && event.data.total > 100' })
    assert.deepEqual([row!.version, row!.enabled, row!.disabled_reason], [3, true, null])
    const [faults] = await findRuleFaults(worker, tenant, [rule.id])
    assert.equal(faults, undefined)
  })

  it('that have come to an end are written at once', async () => {
    const rule = await aFailingRule()
    const health = newHealth(2, 3_600_000)
    const rules = compileRules([rule])
    health.observe(tenant, matchEvents([bad(), bad()], rules, clock.now()).health, rules)
    await eventually(async () => {
      const found = (await loadRules(worker, tenant)).find(({ id }) => id === rule.id)
      assert.equal(found!.enabled, false)
    })
    await health.close()
  })

  it('behind its pattern are forgiven by a match alone', async () => {
    const rule = await aFailingRule({ eventPattern: 'event.data.on', selector: { expression: 'event.data.owner' } })
    const [broken, quiet, whole] = [
      anEvent('a', { on: true }),
      anEvent('a', { on: false }),
      anEvent('a', { on: true, owner: 'x' }),
    ]
    assert.equal((await after(rule, [[broken], [quiet]])).streak, 1)
    assert.equal((await after(rule, [[quiet]])).streak, 1)
    assert.equal((await after(rule, [[broken, quiet]])).streak, 2)
    assert.equal((await after(rule, [[whole]])).streak, 0)
  })

  it('of many processes at once are all counted, and switch it off once', async () => {
    const rule = await aFailingRule()
    const rules = compileRules([rule])
    const processes = Array.from({ length: 8 }, () => newHealth(16))
    for (const health of processes)
      health.observe(tenant, matchEvents([bad(), bad()], rules, clock.now()).health, rules)
    await Promise.all(processes.map((health) => health.close()))
    const { faults: _faults, ...noted } = await after(rule, [], newHealth())
    assert.deepEqual(noted, { streak: 16, total: 16, enabled: false, version: 2 })
  })

  it('for a recipient are shown, and switch nothing off', async () => {
    const rule = aRule({ templateVars: { level: { cel: 'recipient.attributes.level' } } })
    await save(rule)
    const rules = compileRules([rule])
    const health = newHealth(2)
    const { matched, health: notes } = matchEvents([bad()], rules, clock.now())
    const told = ['ann', 'bob', 'cid'].map((id) => matched[0]!.varsFor({ id, roles: [], groups: [], attributes: {} }))
    notes.faults.push(...told.flatMap((one) => (one.ok ? [] : [one.fault])))
    health.observe(tenant, notes, rules)
    const { faults, ...noted } = await after(rule, [], health)
    assert.deepEqual(noted, { streak: 0, total: 3, enabled: true, version: 1 })
    assert.equal(faults!.last_part, 'templateVars.level')
  })

  it('of a rule that is deleted are forgotten', async () => {
    const rule = aRule({ eventPattern: 'event.data.total > 100' })
    const rules = compileRules([rule])
    const health = newHealth()
    health.observe(tenant, matchEvents([bad()], rules, clock.now()).health, rules)
    await health.close()
    assert.deepEqual(await findRuleFaults(worker, tenant, [rule.id]), [])
  })
})

describe('what notes the health of rules', () => {
  it('finds its rows by their keys, among many, where nested loops are off', async () => {
    await world.admin.query(
      `insert into carillon.rules (tenant_id, id, name, definition, enabled, created_at, updated_at, updated_by)
       select $1, gen_random_uuid(), 'rule number ' || n, '{}', true, now(), now(), 'test' from generate_series(1, 20000) n`,
      [world.otherTenant],
    )
    await world.admin.query(
      `insert into carillon.rule_faults select tenant_id, id, 1, 1, now(), 'type', 'eventPattern', '', id from carillon.rules where tenant_id = $1`,
      [world.otherTenant],
    )
    await world.admin.query('analyze carillon.rules, carillon.rule_faults')
    const { rows: named } = await world.admin.query(
      'select tenant_id, id from carillon.rules where tenant_id = $1 limit 20',
      [world.otherTenant],
    )
    const column = <T>(value: (row: { tenant_id: string; id: string }) => T) => named.map(value)
    const ids = [column((row) => row.tenant_id), column((row) => row.id)]
    const texts = [column(() => 'type'), column(() => 'eventPattern'), column(() => '')]
    const counts = [column(() => 1), column(() => 1), column(() => 1)]
    const flags = [column(() => false), column(() => false)]
    const plans: [name: string, values: unknown[]][] = [
      ['match/lock_rules', [...ids, column(() => 0)]],
      [
        'match/note_rule_health',
        [...ids, ...counts, ...flags, column(() => clock.now()), ...texts, ids[1], clock.now(), 3],
      ],
    ]
    for (const [name, values] of plans) {
      await inTransaction(worker, async (trx) => {
        await trx.query('set local enable_nestloop = off')
        await trx.query('set local plan_cache_mode = force_generic_plan')
        const { rows } = await trx.query({ text: `explain ${statement(name).text}`, values })
        const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
        assert.doesNotMatch(plan, /Seq Scan on (rules|rule_faults)_/, plan)
        assert.match(plan, /rules_h\d_pkey/)
        assert.match(plan, /rule_faults_h\d_pkey/)
      })
    }
  })
})
