import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { compileExpression } from '../../../src/domain/expressions/compile-expression.ts'
import { evaluationFaults } from '../../../src/domain/expressions/expression-fault.ts'
import { expressionLimits } from '../../../src/domain/expressions/expression-limits.ts'
import { costOfLast } from '../../../src/domain/expressions/meter.ts'
import type { Scope } from '../../../src/domain/expressions/scope.ts'
import { compiled, outcomeOf, scopeWith } from './expression-cases.ts'

/** Far above what any of these takes, and far below what they would take if they were not bounded. */
const soonMs = 1000

const list = 'event.data.list'

function deep(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1
  for (let level = 0; level < levels; level += 1) value = wrap(value)
  return value
}

const data = {
  list: Array.from({ length: 1000 }, (_, index) => index),
  longList: Array.from({ length: 50_000 }, (_, index) => index),
  words: Array.from({ length: 900 }, () => 'x'.repeat(1000)),
  fields: Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`k${index}`, index])),
  text: 'ab'.repeat(30_000),
  same: 'a'.repeat(60_000),
  odd: `${'a'.repeat(15_000)}b${'a'.repeat(15_000)}`,
  wide: Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, index])),
  huge: 'a'.repeat(3_000_000),
  pattern: '(a?){30}a{30}',
  deepObject: deep(8000, (a) => ({ a })),
  deepList: deep(8000, (inner) => [inner]),
  minusZero: -0,
  large: 1e308,
  exact: 2 ** 53 - 1,
  inexact: 2 ** 53,
  ...JSON.parse('{"__proto__": {"polluted": true}, "constructor": "data", "hasOwnProperty": 1}'),
}
// A spread does not copy an own `__proto__`, which JSON can hold.
Object.defineProperty(data, '__proto__', { value: { polluted: true }, enumerable: true })

/** Each level doubles what it is given: 2^levels by the end. */
function doubled(levels: number, start: string, double: (name: string) => string): string {
  let text = start
  for (let level = 0; level < levels; level += 1) text = `[${text}].map(x, ${double('x')})[0]`
  return text
}

function nested(levels: number, innermost: string, macro: string): string {
  let text = innermost
  for (let level = 0; level < levels; level += 1) text = `${list}.${macro}(x${level}, ${text})`
  return text
}

describe('an expression that would cost too much', () => {
  let scope: Scope
  before(() => {
    scope = scopeWith(data)
  })

  const pairs = (name: string) => `[${name}, ${name}]`
  const bombs: Record<string, string> = {
    'two comprehensions in one another': nested(2, '1', 'map'),
    'five comprehensions in one another': nested(5, '1', 'map'),
    'a search that finds nothing': nested(3, 'false', 'exists'),
    'a bomb that is no operand of an or': `${nested(3, 'false', 'exists')} || true`,
    'a bomb that is caught by a ternary': `${nested(3, 'true', 'all')} ? 1 : 2`,
    'errors in all iterations': nested(2, 'x0 / 0 == 1', 'all'),
    'an iteration over too long a list': 'event.data.longList.exists(x, x == -1)',
    'keys of a map in one another': 'event.data.fields.map(k, event.data.fields.map(j, j == k))',
    'a list in which each looks for itself': `${list}.all(x, x in event.data.longList)`,
    'a text that doubles': doubled(16, '"aaaaaaaaaaaaaaaa"', (x) => `${x} + ${x}`),
    'bytes that double': doubled(16, 'b"aaaaaaaaaaaaaaaa"', (x) => `${x} + ${x}`),
    'a list that doubles': doubled(16, '[1, 2, 3]', (x) => `${x} + ${x}`),
    'a list that holds itself twice': doubled(18, '[1]', pairs),
    'a map that holds itself twice': doubled(17, '[1]', (x) => `{"a": ${x}, "b": ${x}}`),
    'such lists, compared': `${doubled(17, '[1]', pairs)} == ${doubled(17, '[1]', pairs)}`,
    'such a list, looked into': `[1] in ${doubled(17, '[1]', pairs)}`,
    'such a list, formatted': `"%s".format([${doubled(17, '[1]', pairs)}])`,
    'a long text, many times in a list': 'event.data.longList.map(x, event.data.text)',
    'a replacement that grows': 'event.data.text.replace("a", event.data.text)',
    'a replacement of nothing': 'event.data.text.replace("", "xyz")',
    'a text in pieces': 'event.data.text.split("")',
    'a long separator': 'event.data.words.join(event.data.text)',
    'a long text, searched again and again': `${list}.exists(x, event.data.text.contains("c"))`,
    'a long text, counted again and again': `${list}.exists(x, size(event.data.text) == 1)`,
    'long texts, added': 'event.data.huge + event.data.huge',
    'long texts, compared again and again': `${list}.exists(x, event.data.huge < event.data.huge)`,
    'a long text in other letters': 'event.data.huge.upperAscii() == "A"',
    'a long text as the result': 'event.data.huge',
    'a long text, looked for in a longer one': 'event.data.same.contains(event.data.odd)',
    'a long text, looked for from behind': 'event.data.same.lastIndexOf(event.data.odd) > 0',
    'a long text, split at another': 'event.data.same.split(event.data.odd)',
    'a long text, replaced in another': 'event.data.same.replace(event.data.odd, "")',
    'a wide map, compared': 'event.data.wide == event.data.wide',
    'a wide map, counted again and again': nested(2, 'event.data.wide.size() < 0', 'exists'),
    'the kind of a value, asked again and again': nested(2, 'type(event.data.wide) == string', 'exists'),
    'durations, read again and again': nested(2, 'duration("1h1m1.5s") == duration("1s")', 'exists'),
    'zones, asked again and again': nested(2, 'now.getHours("Europe/Berlin") > 24', 'exists'),
    'patterns over a long text': `${list}.exists(x, event.data.text.matches("c$"))`,
    'a pattern with many states': 'event.data.text.matches("(a|b)*a(a|b){200}c?$")',
    'a pattern from the data': 'event.data.text.matches(event.data.pattern)',
    'a new pattern each time': `${list}.exists(x, "a".matches("[b-y]{1," + string(x % 200 + 1) + "}z"))`,
    'a new class of Unicode each time': `${list}.exists(x, "a".matches("\\\\p{L}{" + string(50 - x % 49) + "}"))`,
    'a new zone each time': `${list}.exists(x, now.getHours("Zone/" + string(x)) == 1)`,
    'numbers formatted again and again': `${list}.map(x, "%.90f".format([1.5]))`,
    'deep data, compared': 'event.data.deepObject == {"a": event.data.deepObject}',
    'deep lists, compared': 'event.data.deepList == [event.data.deepList]',
    'deep data as the result': 'event.data.deepObject',
    'a deep list as the result': 'event.data.deepList',
  }
  for (const [name, text] of Object.entries(bombs)) {
    it(`is stopped soon: ${name}`, () => {
      const expression = compiled(text)
      const began = performance.now()
      const result = expression.evaluate(scope)
      const took = performance.now() - began
      assert.equal(result.ok ? JSON.stringify(result.value).slice(0, 100) : result.code, 'budget')
      assert.ok(took < soonMs, `${took} ms`)
    })
  }

  it('does not spoil the evaluation after it', () => {
    assert.equal(outcomeOf(nested(3, 'false', 'exists'), scope), 'budget')
    assert.equal(outcomeOf('event.data.list.exists(x, x == 999)', scope), true)
    assert.ok(costOfLast() > 1000 && costOfLast() < expressionLimits.cost)
  })

  it('may be as large as rules of people are', () => {
    assert.equal(outcomeOf(`${list}.exists(x, x > 998)`, scope), true)
    assert.equal(outcomeOf(`size(${list}.filter(x, x % 2 == 0).map(x, x * 2))`, scope), 500)
    assert.equal(outcomeOf(`event.data.words.exists(w, w.contains("y"))`, scope), false)
    assert.equal(outcomeOf('event.data.longList == [1] || dyn(event.data.longList) == 1', scope), false)
    const address = '^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}[.][a-z]{2,20}$'
    assert.equal(outcomeOf(`"someone@example.com".matches("${address}")`, scope), true)
  })
})

describe('an expression that is too large', () => {
  const over = (part: string, end = '') =>
    part.repeat(Math.floor((expressionLimits.length - end.length) / part.length)) + end
  const texts: Record<string, string> = {
    'more characters than allowed': `"${'x'.repeat(expressionLimits.length)}"`,
    'a sum without end': over('1+', '1'),
    'a choice without end': over('a?b:', 'c'),
    'conditions without end': over('a||', 'a'),
    'fields without end': over('a.', 'a'),
    'calls without end': over('a.map(x,', '1'),
    'brackets without end': over('('),
    'lists without end': over('['),
    'maps without end': over('{1:'),
    'all of them without end': over('f([{1:('),
    'comparisons without end': over('a<', 'b'),
    'elements without end': `[${over('1,', '1]')}`,
    'not not': over('!', 'z'),
    'an open string': `"${'\\x41'.repeat(1000)}`,
    'blanks without end': `1${' '.repeat(4000)}+`,
    'comments without end': over('//x\n', '+'),
    'a number without end': '1'.repeat(4000),
    'quotes without end': over('`'),
    'nothing that can be seen': '\u0000\u200b\ud800',
  }
  for (const [name, text] of Object.entries(texts)) {
    it(`is refused soon: ${name}`, () => {
      const began = performance.now()
      const result = compileExpression(text, { kind: 'value' })
      const took = performance.now() - began
      assert.equal(result.ok, false)
      assert.ok(!result.ok && result.message.length < 300 && result.line >= 1 && result.column >= 1)
      assert.ok(took < soonMs, `${took} ms`)
    })
  }

  it('does not count brackets that are in a string', () => {
    const many = '('.repeat(500)
    for (const text of [`"${many}"`, `'${many}'`, `r"${many}\\"`, `"""${many}"${many}"""`, `"\\"${many}"`]) {
      assert.ok(compileExpression(text, { kind: 'value' }).ok, text.slice(0, 10))
    }
  })
})

describe('data with names of JavaScript', () => {
  const cases: [text: string, outcome: unknown][] = [
    ['event.data.constructor', 'data'],
    ['event.data.hasOwnProperty', 1],
    ['event.data.toString', 'no_such_field'],
    ['event.data["value" + "Of"]', 'no_such_field'],
    ['event.data.__defineGetter__', 'no_such_field'],
    ['has(event.data.toString)', false],
    ['"toString" in event.data', false],
    ['event.data.__proto__.polluted', true],
    ['event.data.list.length', 'no_such_field'],
    ['event.data.list["length"]', 'no_such_field'],
    ['event.data.text.length', 'no_such_field'],
    ['{"__proto__": {"polluted": 1}}.toString', 'no_such_field'],
    ['{"a": 1}.constructor', 'no_such_field'],
    ['dyn(event).constructor', 'no_such_field'],
    ['dyn(event)["__proto__"]', 'no_such_field'],
  ]
  for (const [text, outcome] of cases) {
    it(`${text} is ${JSON.stringify(outcome)}`, () => assert.deepEqual(outcomeOf(text, scopeWith(data)), outcome))
  }

  it('gives them back as fields, and touches no prototype', () => {
    const given = outcomeOf('{"__proto__": {"polluted": true}, "constructor": 1}', scopeWith(data))
    assert.deepEqual(Object.getOwnPropertyNames(given), ['__proto__', 'constructor'])
    assert.equal(({} as Record<string, unknown>).polluted, undefined)
  })
})

describe('numbers and times at their edges', () => {
  const cases: [text: string, outcome: unknown][] = [
    ['event.data.minusZero', 0],
    ['event.data.large * 10', 'Infinity'],
    ['event.data.large == 1e308', true],
    ['event.data.exact + 1', '9007199254740992'],
    ['type(event.data.exact) == int', true],
    ['type(event.data.inexact) == double', true],
    ['0.0 / 0.0', 'NaN'],
    ['0.0 / 0.0 == 0.0 / 0.0', false],
    ['[0.0 / 0.0] == [0.0 / 0.0]', false],
    ['-1.0 / 0.0', '-Infinity'],
    ['int(event.data.large)', 'arithmetic'],
    ['int(0.0 / 0.0)', 'arithmetic'],
    ['9223372036854775807 + 1', 'arithmetic'],
    ['-9223372036854775808 - 1', 'arithmetic'],
    ['9223372036854775807 * 9223372036854775807', 'arithmetic'],
    ['-(-9223372036854775808)', 'arithmetic'],
    ['-9223372036854775808 / -1', 'arithmetic'],
    ['1u - 2u', 'arithmetic'],
    ['int("9223372036854775808")', 'arithmetic'],
    ['int("")', 'conversion'],
    ['int("0x10")', 'conversion'],
    ['int(event.data.text)', 'conversion'],
    ['double("")', 'conversion'],
    ['double("1e999")', 'Infinity'],
    ['duration("9223372036s") + duration("9223372036s")', 'arithmetic'],
    ['duration(9223372036854775807)', 'arithmetic'],
    ['timestamp(9223372036854775807)', 'arithmetic'],
    ['timestamp("9999-12-31T23:59:59Z") + duration("1s")', 'arithmetic'],
    ['timestamp("0001-01-01T00:00:00Z") - duration("1s")', 'arithmetic'],
    ['timestamp(0)', '1970-01-01T00:00:00Z'],
    ['"%.1000000f".format([1.5])', 'arithmetic'],
    ['"%d".format([])', 'failed'],
  ]
  for (const [text, outcome] of cases) {
    it(`${text} is ${JSON.stringify(outcome)}`, () => assert.deepEqual(outcomeOf(text, scopeWith(data)), outcome))
  }

  it('has a word for each fault', () => assert.equal(new Set(evaluationFaults).size, evaluationFaults.length))
})
