import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createChunkBudget } from '../../../src/domain/expressions/chunk-budget.ts'
import type { Person } from '../../../src/domain/person.ts'
import type { Rule } from '../../../src/domain/rule.ts'
import { compileRules } from '../../../src/domain/rule-index.ts'
import {
  askRule,
  type EventIntent,
  matchEvents,
  matchEventsInTurns,
  scopeOfIntent,
} from '../../../src/pipeline/match/match-events.ts'
import { anEvent, aRule } from '../../support/rules.ts'

const now = new Date('2026-01-15T12:00:00Z')
const match = (rules: readonly Rule[], ...events: EventIntent[]) => matchEvents(events, compileRules(rules), now)
const one = (changes: Partial<Rule>, event: EventIntent) => match([aRule(changes)], event)

const ann: Person = {
  type: 'user',
  id: 'ann',
  known: true,
  name: 'Ann',
  addresses: {},
  enabled: true,
  roles: ['ops'],
  groups: [],
  attributes: { level: 3 },
  consents: {},
  suppressions: {},
}

describe('which events a rule wants', () => {
  const order = anEvent(
    'commerce.order.shipped',
    { total: 150, ratio: 1.5, lines: [{ sku: 'a', count: 2 }], nested: { 'odd-key': true } },
    {
      category: 'orders',
      correlationId: 'c-1',
      payload: {
        data: { total: 150, ratio: 1.5, lines: [{ sku: 'a', count: 2 }], nested: { 'odd-key': true } },
        metadata: {},
        event: { domain: 'commerce', source: 'shop', occurredAt: '2026-01-15T09:00:00Z' },
      },
    },
  )
  const wanted = [
    '',
    '   ',
    'true',
    'event.data.total > 100',
    'event.data.total + 1 == 151',
    'event.data.ratio > 1.0',
    'event.type == "commerce.order.shipped" && event.domain == "commerce" && event.source == "shop"',
    'event.category == "orders" && event.correlationId == "c-1"',
    'event.data.lines.exists(line, line.sku == "a" && line.count >= 2)',
    'event.data.nested["odd-key"]',
    'has(event.data.total) && !has(event.data.missing)',
    'event.type.matches("^commerce\\\\.[a-z]+\\\\.shipped$")',
    'event.occurredAt < event.acceptedAt && event.acceptedAt < now',
    'now - event.acceptedAt == duration("2h")',
    'event.data.missing > 1 || event.data.total > 100',
  ]
  for (const eventPattern of wanted) {
    it(`wants it: ${eventPattern || 'nothing said'}`, () =>
      assert.equal(one({ eventPattern }, order).matched.length, 1))
  }
  const unwanted: [what: string, changes: Partial<Rule>][] = [
    ['another total', { eventPattern: 'event.data.total > 1000' }],
    ['another type', { eventTypes: ['commerce.order.paid'] }],
    ['another domain', { domains: ['billing'] }],
    ['another of both', { domains: ['commerce'], eventTypes: ['billing.*'] }],
    ['switched off', { enabled: false }],
    ['not in force yet', { validFrom: new Date('2026-01-15T10:00:00.001Z') }],
    ['not in force any more', { validUntil: new Date('2026-01-15T10:00:00Z') }],
    ['false before a fault', { eventPattern: 'event.type == "x" && event.data.missing > 1' }],
  ]
  for (const [what, changes] of unwanted) {
    it(`does not want it: ${what}`, () => {
      const { matched, unmatched, health } = one(changes, order)
      assert.deepEqual([matched, unmatched, health.faults], [[], [order], []])
    })
  }
  it('is in force from its first moment on', () => {
    assert.equal(one({ validFrom: order.acceptedAt, validUntil: now }, order).matched.length, 1)
  })
})

describe('what a match wants', () => {
  it('is what the rule says, with the event’s type and category', () => {
    const schedule = { delayMs: 1_000 }
    const rule = aRule({ priority: 3, channels: ['sms'], fallbackChannels: ['email'], schedule, template: 'shipped' })
    const event = anEvent('a.b', {}, { category: 'orders' })
    const [found] = match([rule], event).matched
    assert.deepEqual(found!.want, {
      type: 'a.b',
      priority: 3,
      category: 'orders',
      channels: ['sms'],
      fallbackChannels: ['email'],
      schedule,
      fold: undefined,
      rule: { id: rule.id, name: rule.name, version: 1 },
      acceptedAt: event.acceptedAt,
    })
    assert.equal(found!.template, 'shipped')
    assert.equal(one({ category: 'own' }, event).matched[0]!.want.category, 'own')
  })

  it('comes in the order of events and of rules', () => {
    const rules = [aRule(), aRule({ eventTypes: ['b'] }), aRule({ eventTypes: ['a'] })]
    const [a, b] = [anEvent('a'), anEvent('b')]
    const { matched } = match(rules, a, b)
    assert.deepEqual(
      matched.map(({ intent, compiled }) => [intent.type, compiled.rule.name]),
      [
        ['a', rules[0]!.name],
        ['a', rules[2]!.name],
        ['b', rules[0]!.name],
        ['b', rules[1]!.name],
      ],
    )
  })
})

describe('whom a match names', () => {
  const cases: [what: string, expression: string, ids: string[]][] = [
    ['one id', 'event.data.owner', ['ann', 'bob']],
    ['a number', 'event.data.number', ['ann', '42']],
    ['a list', 'event.data.watchers', ['ann', 'cid', 'dan']],
    ['a list with doubles', 'event.data.watchers + ["ann", "cid"]', ['ann', 'cid', 'dan']],
    ['what a macro makes', 'event.data.people.filter(p, p.on).map(p, p.id)', ['ann', 'eve']],
    ['an empty list', '[]', ['ann']],
    ['an empty text', '""', ['ann']],
    ['null', 'event.data.nobody', ['ann']],
    ['an optional field', 'has(event.data.x) ? event.data.x : ""', ['ann']],
  ]
  const data = {
    owner: 'bob',
    number: 42,
    watchers: ['cid', 'dan', 'cid'],
    nobody: null,
    people: [
      { id: 'eve', on: true },
      { id: 'fay', on: false },
    ],
  }
  for (const [what, expression, ids] of cases) {
    it(`${what} of an expression, with those whom the rule names`, () => {
      const { matched } = one({ selector: { userIds: ['ann'], expression } }, anEvent('a', data))
      assert.deepEqual(matched[0]!.audience.userIds, ids)
    })
  }
  const faults: [what: string, expression: string, code: string][] = [
    ['a missing field', 'event.data.missing', 'no_such_field'],
    ['an object', 'event.data.people[0]', 'type'],
    ['a list of lists', '[["a"]]', 'type'],
    ['a fraction', '1.5', 'type'],
    ['too long an id', 'event.data.long', 'type'],
    ['a NUL', '"a\\u0000b"', 'type'],
    ['a line break', '"a\\nb"', 'type'],
  ]
  for (const [what, expression, code] of faults) {
    it(`${what} is a fault, and the rule is left out for the event`, () => {
      const rule = aRule({ selector: { expression } })
      const { matched, unmatched, health } = match([rule], anEvent('a', { ...data, long: 'x'.repeat(256) }))
      assert.deepEqual([matched.length, unmatched.length], [0, 1])
      assert.deepEqual(
        health.faults.map((fault) => [fault.ruleId, fault.part, fault.code]),
        [[rule.id, 'recipientSelector.expression', code]],
      )
    })
  }
})

describe('the variables of a match', () => {
  const vars = (templateVars: Record<string, unknown>, data = {}) => {
    const { matched, health } = one({ templateVars }, anEvent('a', data))
    return matched[0]?.varsFor(ann) ?? health.faults[0]
  }
  it('are values, and what expressions over event and recipient give, anywhere in them', () => {
    const said = {
      shop: 'Berlin',
      total: { cel: 'event.data.total * 2' },
      hello: { cel: '"Dear " + recipient.name' },
      list: [1, { cel: 'event.type' }, { deep: { cel: 'recipient.attributes.level' } }],
      object: { cel: 'x', other: 1 },
      none: null,
    }
    assert.deepEqual(vars(said, { total: 21 }), {
      ok: true,
      vars: { ...said, total: 42, hello: 'Dear Ann', list: [1, 'a', { deep: 3 }] },
    })
  })
  it('of the event are a fault of the rule', () => {
    const found = vars({ a: { b: { cel: 'event.data.x' } } })
    assert.deepEqual([found && 'part' in found && found.part], ['templateVars.a.b'])
  })
  it('of a recipient are a fault for that recipient', () => {
    const found = vars({ a: { cel: 'recipient.attributes.missing' } })
    assert.ok(found && 'ok' in found && !found.ok)
    assert.deepEqual([found.fault.part, found.fault.code], ['templateVars.a', 'no_such_field'])
  })
  for (const [what, cel, code] of [
    ['a NUL', '"a\\u0000b"', 'type'],
    ['half a character', '["x", "😀".substring(0, 1)]', 'type'],
    ['very long text', 'event.data.long + event.data.long', 'budget'],
  ] as const) {
    it(`that would be ${what} are a fault, since they could not be stored`, () => {
      const found = vars({ a: { cel } }, { long: 'x'.repeat(40_000) })
      assert.equal(found && 'code' in found && found.code, code)
    })
  }
  it('named __proto__ are a variable like another', () => {
    const said = JSON.parse('{"__proto__": {"cel": "1 + 1"}, "constructor": {"cel": "2 + 2"}}')
    const found = vars(said)
    assert.ok(found && 'vars' in found)
    assert.deepEqual(Object.entries(found.vars), [
      ['__proto__', 2],
      ['constructor', 4],
    ])
  })
})

describe('the digests of a match', () => {
  const digest = { windowMs: 60_000 }
  const keyOf = (changes: Partial<Rule>, data = {}) =>
    one({ id: 'r', digest, ...changes }, anEvent('a', data)).matched[0]?.want.fold?.key
  it('are one for a recipient', () => assert.equal(keyOf({}), 'rule:r'))
  it('are kept apart by a key', () => assert.equal(keyOf({ batchKey: 'event.data.x' }, { x: 'eu' }), 'rule:r:eu'))
  it('take any value for a key', () =>
    assert.equal(keyOf({ batchKey: '[1, event.data.x]' }, { x: 'b' }), 'rule:r:[1,"b"]'))
  it('take a long key, or an odd one, by its hash', () => {
    const long = keyOf({ batchKey: 'event.data.x' }, { x: 'y'.repeat(500) })
    assert.match(long!, /^rule:r:sha256:[0-9a-f]{64}$/)
    assert.match(keyOf({ batchKey: 'event.data.x' }, { x: 'a\u0000b' })!, /sha256/)
  })
})

describe('the group of a match', () => {
  const group = {
    by: ['event.data.host', 'event.type'],
    waitMs: 1,
    intervalMs: 2,
    repeatMs: 3,
    resolved: 'event.data.status == "resolved"',
  }
  it('has a key of all values, and tells whether it is over', () => {
    const [open, over] = match(
      [aRule({ id: 'r', group })],
      anEvent('a', { host: 'h1', status: 'firing' }),
      anEvent('a', { host: 'h1', status: 'resolved' }),
    ).matched
    assert.deepEqual(open!.group, { key: 'rule:r:["h1","a"]', resolved: false, policy: group })
    assert.equal(over!.group!.resolved, true)
  })
  it('takes what an event lacks as null, and as not over: no alert is lost by that', () => {
    const [alert] = match([aRule({ id: 'r', group })], anEvent('a')).matched
    assert.deepEqual(alert!.group, { key: 'rule:r:[null,"a"]', resolved: false, policy: group })
  })
  it('names the alert that it tells of, where the rule says how', () => {
    const named = { ...group, alert: 'event.data.fingerprint' }
    const of = (data: Record<string, unknown>) =>
      matchEvents([anEvent('host.down', data)], compileRules([aRule({ id: 'r', group: named })]), now).matched[0]!.group
    assert.equal(of({ host: 'h1', fingerprint: 'f-1' })!.alert, 'f-1')
    assert.equal(of({ host: 'h1', fingerprint: 7 })!.alert, '7')
    assert.equal(of({ host: 'h1' })!.alert, undefined, 'an alert of its own')
  })

  it('whose key fails is a fault', () => {
    const broken = { ...group, by: ['event.data.host + 1'] }
    assert.equal(one({ group: broken }, anEvent('a', { host: 'h1' })).health.faults[0]!.part, 'group.by.0')
  })
})

describe('rules that fail', () => {
  const failing = aRule({ eventPattern: 'event.data.total > 100' })
  it('are left out for the event, and no other rule or event is', () => {
    const good = aRule()
    const events = [anEvent('a'), anEvent('a', { total: 200 }), anEvent('a', { total: 'many' })]
    const { matched, unmatched, health } = match([failing, good], ...events)
    assert.deepEqual(
      matched.map(({ intent, compiled }) => [events.indexOf(intent), compiled.rule.id === good.id]),
      [
        [0, true],
        [1, false],
        [1, true],
        [2, true],
      ],
    )
    assert.deepEqual(unmatched, [])
    assert.deepEqual(
      health.faults.map(({ code, intentId }) => [code, intentId]),
      [
        ['no_such_field', events[0]!.id],
        ['type', events[2]!.id],
      ],
    )
    assert.deepEqual([...health.streaks], [[failing.id, 1]])
  })

  it('name no value of the event', () => {
    const { health } = match([failing], anEvent('a', { total: 'a secret' }))
    assert.doesNotMatch(JSON.stringify(health.faults), /secret/)
  })

  it('because a release does not read them fail on every event', () => {
    const { health } = match([aRule({ batchKey: 'event.' })], anEvent('a'))
    assert.deepEqual([health.faults[0]!.part, health.faults[0]!.code], ['batchKey', 'invalid'])
  })

  it('behind their pattern are not forgiven by an answer of it', () => {
    const rule = aRule({ eventPattern: 'event.data.on', selector: { expression: 'event.data.owner' } })
    const { health } = match([rule], anEvent('a', { on: true }), anEvent('a', { on: false }))
    assert.deepEqual([...health.streaks], [[rule.id, 1]])
    const whole = match([rule], anEvent('a', { on: true }), anEvent('a', { on: true, owner: 'x' }))
    assert.deepEqual([...whole.health.streaks], [])
  })

  it('cost no more than their budget', () => {
    const bomb =
      'event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, event.data.l.all(d, a + b + c + d >= 0))))'
    const begun = performance.now()
    const { health } = match(
      [aRule({ eventPattern: bomb })],
      anEvent('a', { l: Array.from({ length: 1_000 }, (_, i) => i) }),
    )
    assert.equal(health.faults[0]?.code, 'budget')
    assert.ok(performance.now() - begun < 2_000)
  })
})

describe('rules that cost much', () => {
  const longList = Array.from({ length: 300 }, (_, place) => place)
  const heavy = 'event.data.list.exists(x, event.data.list.exists(y, x + y == -1))'
  const cheap = aRule({ id: 'cheap', name: 'cheap', eventPattern: 'event.data.total > 1' })
  const events = (count: number) => Array.from({ length: count }, () => anEvent('a.b', { list: longList, total: 5 }))
  const heavyRules = (count: number) =>
    Array.from({ length: count }, (_, place) =>
      aRule({ id: `heavy-${place}`, name: `heavy ${place}`, eventPattern: heavy }),
    )

  it('leave the process to others again and again', async () => {
    let turns = 0
    const rules = compileRules(heavyRules(2))
    const { health } = await matchEventsInTurns(events(10), rules, now, createChunkBudget(), async () => {
      turns++
    })
    assert.equal(health.faults.length, 20)
    assert.ok(turns >= 19, `${turns}`)
  })

  it('are cut off in a chunk, and those that cost little are not', () => {
    const { matched, health } = match([...heavyRules(20), cheap], ...events(500))
    assert.equal(matched.length, 500)
    assert.equal(health.faults.length, 10_000)
    assert.equal(health.streaks.get('heavy-0'), 500)
    assert.ok(health.faults.every(({ code }) => code === 'budget'))
  })

  it('are cut off where many lists are to be read for recipients', () => {
    const vars = { found: { cel: 'event.data.list.exists(x, x == -1 || recipient.id == "nobody")' } }
    const [first] = match([aRule({ templateVars: vars })], ...events(1)).matched
    const told = Array.from({ length: 5_000 }, (_, place) => first!.varsFor({ ...ann, id: `p${place}` }).ok)
    assert.equal(told[0], true)
    assert.equal(told.at(-1), false)
  })

  it('are the same rule on the next chunk', () => {
    const budget = createChunkBudget()
    const compiled = compileRules([aRule({ eventPattern: 'event.data.list.all(x, x >= 0)' })]).all[0]!
    const [event] = events(1)
    const scope = scopeOfIntent(event!, now)
    const askIn = (of: typeof budget) => {
      const asked = askRule(compiled, event!, scope, of)
      return asked !== undefined && 'want' in asked
    }
    const answers = Array.from({ length: 5_000 }, () => askIn(budget))
    assert.deepEqual([answers[0], answers.at(-1), askIn(createChunkBudget())], [true, false, true])
  })
})
