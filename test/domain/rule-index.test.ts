import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Rule } from '../../src/domain/rule.ts'
import { compileRules, coversEvent } from '../../src/domain/rule-index.ts'
import { narrowingOf } from '../../src/domain/rule-narrowing.ts'
import { aRule } from '../support/rules.ts'

const namesFor = (rules: readonly Rule[], type: string, domain = type.split('.')[0]!) =>
  compileRules(rules)
    .candidates({ type, domain })
    .map(({ rule }) => rule.name)

describe('the index of rules', () => {
  const rules = [
    aRule({ name: 'all' }),
    aRule({ name: 'star', eventTypes: ['*'] }),
    aRule({ name: 'exact', eventTypes: ['commerce.order.shipped', 'commerce.order.paid'] }),
    aRule({ name: 'orders', eventTypes: ['commerce.order.*'] }),
    aRule({ name: 'commerce', eventTypes: ['commerce.*', 'commerce.order.*'] }),
    aRule({ name: 'by domain', domains: ['commerce', 'billing'] }),
    aRule({ name: 'both', domains: ['shop'], eventTypes: ['commerce.order.*'] }),
    aRule({ name: 'in CEL', eventPattern: 'event.type == "commerce.order.paid" && event.data.total > 1' }),
    aRule({ name: 'off', enabled: false }),
  ]

  const cases: [type: string, domain: string, names: string[]][] = [
    ['commerce.order.shipped', 'commerce', ['all', 'star', 'exact', 'orders', 'commerce', 'by domain']],
    ['commerce.order.shipped', 'shop', ['all', 'star', 'exact', 'orders', 'commerce', 'both']],
    ['commerce.order.paid', 'x', ['all', 'star', 'exact', 'orders', 'commerce', 'in CEL']],
    ['commerce.order.shipped.late', 'x', ['all', 'star', 'orders', 'commerce']],
    ['commerce.order', 'x', ['all', 'star', 'commerce']],
    ['commerce', 'billing', ['all', 'star', 'by domain']],
    ['commerce.orders', 'x', ['all', 'star', 'commerce']],
    ['commerce.order.*', 'x', ['all', 'star', 'orders', 'commerce']],
    ['__proto__', 'constructor', ['all', 'star']],
  ]
  for (const [type, domain, names] of cases) {
    it(`finds the rules for ${type} of ${domain}, in their order, each once`, () => {
      assert.deepEqual(namesFor(rules, type, domain), names)
    })
  }

  it('finds what asking every rule would find', () => {
    const types = ['a', 'a.b', 'a.b.c', 'a.bc', 'b.c', 'c']
    const patterns = ['*', 'a', 'a.*', 'a.b', 'a.b.*', 'b.c', 'b.*']
    let seed = 7
    const random = (n: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed % n
    }
    const some = <T>(list: readonly T[]) => list.filter(() => random(3) === 0)
    const many = Array.from({ length: 300 }, () => {
      const [eventTypes, domains] = [some(patterns), some(['a', 'b', 'x'])]
      return aRule({ ...(eventTypes.length > 0 ? { eventTypes } : {}), ...(domains.length > 0 ? { domains } : {}) })
    })
    const index = compileRules(many)
    for (const type of types) {
      for (const domain of ['a', 'b', 'c']) {
        const fits = ({ eventTypes, domains }: Rule) =>
          (eventTypes?.some((pattern) => coversEvent(pattern, type)) ?? true) && (domains?.includes(domain) ?? true)
        assert.deepEqual(
          index.candidates({ type, domain }).map(({ rule }) => rule.name),
          many.filter(fits).map(({ name }) => name),
        )
      }
    }
  })

  it('compiles a version once, and another one anew', () => {
    const [one, two] = [aRule({ eventPattern: 'event.data.a > 1' }), aRule()]
    const first = compileRules([one, two])
    const second = compileRules([{ ...one, version: 2 }, two], first)
    assert.equal(second.get(two.id), first.get(two.id))
    assert.notEqual(second.get(one.id), first.get(one.id))
    assert.equal(compileRules([two], second).get(one.id), undefined)
  })

  it('keeps a rule whose expression is none, so that it can tell of itself', () => {
    const [compiled] = compileRules([aRule({ eventPattern: 'event.' })]).candidates({ type: 'a', domain: 'a' })
    assert.equal(compiled?.broken[0]?.part, 'eventPattern')
  })
})

describe('what a condition says plainly of types and domains', () => {
  const cases: [condition: string, narrowing: object][] = [
    ['event.type == "a.b"', { types: ['a.b'] }],
    ['"a.b" == event.type', { types: ['a.b'] }],
    ['event.type == "a.b" && event.data.total > 100', { types: ['a.b'] }],
    ['event.data.total > 100 && (event.data.x == 1 && event.type in ["a", "b"])', { types: ['a', 'b'] }],
    ['event.type.startsWith("a.b.") && event.domain == "x"', { types: ['a.b.*'], domains: ['x'] }],
    ['event.type == "a" || event.type.startsWith("b.")', { types: ['a', 'b.*'] }],
    ['event.type == "a" || event.data.x == 1', {}],
    ['event.type == "a" || event.domain == "b"', {}],
    ['event.type.startsWith("a")', {}],
    ['event.type != "a"', {}],
    ['!(event.type == "a")', {}],
    ['event.type == "a" ? true : true', {}],
    ['event.data.type == "a"', {}],
    ['event.type == event.data.x', {}],
    ['event.type in [event.data.x, "a"]', {}],
    ['event.type == "a.*"', {}],
    ['[1].all(x, event.type == "a")', {}],
    ['', {}],
    ['event.', {}],
  ]
  for (const [condition, narrowing] of cases) {
    it(condition || 'nothing', () => {
      assert.deepEqual(JSON.parse(JSON.stringify(narrowingOf(condition))), narrowing)
    })
  }
})
