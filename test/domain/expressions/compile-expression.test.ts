import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { compileExpression, usesRecipient } from '../../../src/domain/expressions/compile-expression.ts'
import { scopeOf, withRecipient } from '../../../src/domain/expressions/scope.ts'
import { at, compiled, outcomeOf, recipient, scopeWith } from './expression-cases.ts'

const data = {
  total: 150,
  price: 99.5,
  count: 1,
  discount: null,
  items: [
    { sku: 'a', price: 20 },
    { sku: 'b', price: 120.5 },
  ],
  tags: ['new', 'eu'],
  'content-type': 'text/plain',
  note: 'Größe 🙂',
  nested: { deep: { value: true } },
}

describe('an expression over an event', () => {
  const cases: [text: string, outcome: unknown][] = [
    ['event.data.total > 100', true],
    ['event.data.total > 100.5', true],
    ['event.data.price > 100', false],
    ['event.data.count + 1', 2],
    ['event.data.price + 1', 100.5],
    ['event.data.total * 1.2', 180],
    ['event.data.total / event.data.price > 1.5', true],
    ['(event.data.price + 1) * 2', 201],
    ['event.data.total / 4', 37],
    ['double(event.data.total) / 4.0', 37.5],
    ['event.data.total == 150.0', true],
    ['event.data["content-type"]', 'text/plain'],
    ['event.data.`content-type` == "text/plain"', true],
    ['has(event.data.`content-type`)', true],
    ['has(event.data.discount)', true],
    ['event.data.discount == null', true],
    ['has(event.data.missing)', false],
    ['has(event.data.nested) && has(event.data.nested.deep)', true],
    ['"total" in event.data', true],
    ['event.data.items.exists(i, i.price > 100)', true],
    ['event.data.items.all(i, i.price > 100)', false],
    ['event.data.items.exists_one(i, i.sku == "a")', true],
    ['event.data.items.filter(i, i.price > 100).map(i, i.sku)', ['b']],
    ['event.data.items.map(i, i.price > 100, i.sku)', ['b']],
    ['event.data.items.map(i, i.price)', [20, 120.5]],
    ['event.data.items[1].sku', 'b'],
    ['event.data.items', data.items],
    ['event.data.tags + ["x"]', ['new', 'eu', 'x']],
    ['event.data.tags.join(", ")', 'new, eu'],
    ['size(event.data.tags)', 2],
    ['event.data.note.size()', 7],
    ['event.type.startsWith("commerce.")', true],
    ['event.type.matches("^commerce\\\\.order\\\\..+$")', true],
    ['event.priority >= HIGH && event.priority < CRITICAL', true],
    ['event.category == ""', true],
    ['has(event.category)', false],
    ['event.correlationId.size()', 0],
    ['"Hello " + string(event.data.total)', 'Hello 150'],
    ['"%.2f €".format([event.data.total])', '150.00 €'],
    ['{"sum": event.data.total, "at": event.occurredAt}', { sum: 150, at: '2026-03-01T21:00:00Z' }],
    ['now - event.occurredAt', '5400s'],
    ['now - event.occurredAt > duration("1h")', true],
    ['now.getHours("Europe/Berlin")', 23],
    ['now.getDayOfWeek("+02:00")', 1],
    ['now.getDayOfYear()', 59],
    ['event.data.total > 100 ? "large" : 0', 'large'],
    ['9007199254740993', '9007199254740993'],
    ['[1u, b"hi", null, 1.5, type(1)]', [1, 'aGk=', null, 1.5, 'int']],
    ['// one line\n// and another\nevent.data.total // and a third', 150],
    ['dyn(event).type', 'commerce.order.created'],
    ['event.data.missing', 'no_such_field'],
    ['event.data.missing.deeper == 1', 'no_such_field'],
    ['event.data.items[7]', 'no_such_field'],
    ['event.data.total.sku', 'no_such_field'],
    ['event.data.missing == 1 || true', true],
    ['event.data.note > 3', 'type'],
    ['event.data.note + 1', 'type'],
    ['event.data.total / 0', 'arithmetic'],
    ['event.data.total % 0', 'arithmetic'],
    ['int(event.data.note)', 'conversion'],
    ['timestamp(event.data.note)', 'conversion'],
    ['event.data.note.matches(event.data.note + "(")', 'pattern'],
    ['now.getHours(event.data.note)', 'conversion'],
  ]
  for (const [text, outcome] of cases) {
    it(`${text.replaceAll('\n', ' ')} is ${JSON.stringify(outcome)}`, () => {
      assert.deepEqual(outcomeOf(text, scopeWith(data)), outcome)
    })
  }

  it('reads a category that was given', () => {
    const scope = scopeWith(data, { category: 'orders' })
    assert.deepEqual(outcomeOf('[event.category, string(has(event.category))]', scope), ['orders', 'true'])
  })

  it('takes the time of acceptance where the event says none', () => {
    const event = { id: '1', type: 'a', acceptedAt: at, priority: 1, data: {} }
    assert.equal(outcomeOf('event.occurredAt', scopeOf({ event, now: at })), '2026-03-01T22:30:00Z')
  })

  it('reads each recipient anew and the event once', () => {
    let reads = 0
    const watched = {
      get total() {
        reads += 1
        return 150
      },
    }
    const scope = scopeWith(watched)
    const both = compiled('recipient.attributes.plan + string(event.data.total)')
    assert.deepEqual(both.evaluate(withRecipient(scope, recipient)), { ok: true, value: 'gold150' })
    const other = { id: 'user-2', attributes: { plan: 'free' } }
    assert.deepEqual(both.evaluate(withRecipient(scope, other)), { ok: true, value: 'free150' })
    assert.equal(reads, 2, 'once to see that it is there, once for its value')
    assert.equal(outcomeOf('"admin" in recipient.roles', withRecipient(scope, other)), false)
    assert.equal(outcomeOf('recipient.name', withRecipient(scope, other)), '')
  })

  it('knows whether it needs a recipient', () => {
    assert.ok(usesRecipient(compiled('"a" in recipient.roles')))
    assert.ok(usesRecipient(compiled('[1].exists(x, recipient.id == event.id)')))
    assert.ok(!usesRecipient(compiled('event.data.recipient == "recipient"')))
  })

  it('says where it failed, and no value', () => {
    const result = compiled('event.data.total > 1 &&\n  event.data[event.data.note] == 1').evaluate(scopeWith(data))
    assert.ok(!result.ok)
    assert.equal(result.code, 'no_such_field')
    assert.match(result.message, /line 2/)
    assert.doesNotMatch(result.message, /Größe/)
  })
})

describe('a condition', () => {
  it('gives true or false, or says that it does not', () => {
    assert.deepEqual(compiled('event.data.nested.deep.value', 'condition').evaluate(scopeWith(data)), {
      ok: true,
      value: true,
    })
    const result = compiled('event.data.total', 'condition').evaluate(scopeWith(data))
    assert.equal(result.ok || result.code, 'not_a_bool')
  })
})

describe('an expression that is saved', () => {
  const cases: [text: string, line: number, column: number, message: RegExp][] = [
    ['', 1, 1, /must not be empty/],
    ['  \n', 1, 1, /must not be empty/],
    ['event.data.total >', 1, 19, /ends too early/],
    ['event.data.total > > 1', 1, 20, /unexpected '>'/],
    ['event.data.total > 1)', 1, 21, /unexpected '\)'/],
    ['event.data.\n  total > > 1', 2, 11, /unexpected '>'/],
    ['event.type == "a" && (event.data.n > 1 + )', 1, 42, /unexpected '\)'/],
    ['evnt.data.total > 1', 1, 1, /no 'evnt' here; known are event, recipient, now/],
    ['event.data.total > 1 && evnt.x', 1, 25, /no 'evnt'/],
    ['event.dta.total > 1', 1, 7, /event has no field 'dta'; it has id, type/],
    ['event . dta', 1, 9, /no field 'dta'/],
    ['event["dta"]', 1, 7, /no field 'dta'/],
    ['recipient.email', 1, 11, /recipient has no field 'email'/],
    ['event.type > 3', 1, 12, /'>' does not take \(string, int\)/],
    ['event.type == 3', 1, 12, /a string and an int are never equal/],
    ['event.category == null', 1, 16, /a string and null are never equal/],
    ['event.priority == "HIGH"', 1, 16, /an int and a string are never equal/],
    ['1 + "a"', 1, 3, /'\+' does not take \(int, string\)/],
    ['"🙂🙂" + 1', 1, 6, /does not take/],
    ['event.type.foo()', 1, 12, /no function 'foo'/],
    ['foo(event)', 1, 1, /no function 'foo'/],
    ['startsWith(event.type, "a")', 1, 1, /as a method: x\.startsWith/],
    ['event.type.startsWith(1)', 1, 12, /'startsWith' does not take \(int\) on a string/],
    ['size(1)', 1, 1, /'size' does not take \(int\)/],
    ['event.type.name', 1, 12, /a string has no fields/],
    ['1 in event.type', 1, 3, /'in' looks in a list or a map/],
    ['1 in recipient.roles', 1, 3, /an int is never in a list\(string\)/],
    ['recipient.roles["a"]', 1, 16, /a list\(string\) has no element for a string/],
    ['event.type.exists(x, x)', 1, 12, /goes over the elements/],
    ['recipient.roles.exists(r, r > 1)', 1, 29, /'>' does not take \(string, int\)/],
    ['event.type && true', 1, 7, /a bool is needed here/],
    ['event.type ? 1 : 2', 1, 7, /a bool is needed here/],
    ['event.type.matches("(")', 1, 20, /not a regular expression/],
    ['event.type.matches("(a)\\\\1")', 1, 20, /not a regular expression/],
    ['timestamp("yesterday")', 1, 11, /not a timestamp/],
    ['now - duration("1 hour") < now', 1, 16, /not a duration/],
    ['9223372036854775808', 1, 1, /too large for an int/],
    ['{"a": 1, "a": 2}', 1, 10, /stands twice/],
    ['{1.5: 1}', 1, 2, /a key of a map/],
    ['Order{id: 1}', 1, 1, /no message type 'Order'/],
    ['event.`dta`', 1, 7, /no field 'dta'/],
    ['`event`.data', 1, 1, /no '`event`' here/],
    ['event.data.`a` > 1 && evnt', 1, 23, /no 'evnt'/],
    ['/* no */ true', 1, 1, /unexpected/],
    ['__proto__', 1, 1, /no '__proto__'/],
    ['constructor', 1, 1, /no 'constructor'/],
    ['toString(event)', 1, 1, /no function 'toString'/],
    ['event.constructor', 1, 7, /no field 'constructor'/],
    ['event["__proto__"]', 1, 7, /no field '__proto__'/],
  ]
  for (const [text, line, column, message] of cases) {
    it(`${JSON.stringify(text)} is refused at ${line}:${column}`, () => {
      const result = compileExpression(text, { kind: 'value' })
      assert.ok(!result.ok)
      assert.match(result.message, message)
      assert.deepEqual([result.line, result.column], [line, column])
    })
  }

  it('must be a condition where one is needed', () => {
    const result = compileExpression('event.type', { kind: 'condition' })
    assert.match(result.ok ? '' : result.message, /must give true or false, and this gives string/)
    assert.ok(compileExpression('event.data.vip', { kind: 'condition' }).ok)
  })

  it('names only the variables that there are', () => {
    const options = { kind: 'condition', variables: ['event', 'now'] } as const
    const result = compileExpression('recipient.id == event.id', options)
    assert.match(result.ok ? '' : result.message, /no 'recipient' here; known are event, now/)
    assert.ok(compileExpression('event.acceptedAt < now', options).ok)
  })
})
