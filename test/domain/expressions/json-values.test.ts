import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isCelList, isCelMap } from '@bufbuild/cel'
import { celFromJson, concatLists, jsonFromCel } from '../../../src/domain/expressions/json-values.ts'
import { startMeter } from '../../../src/domain/expressions/meter.ts'
import { compiled, scopeWith } from './expression-cases.ts'

describe('JSON in an expression', () => {
  it('is what the library takes for its own maps and lists', () => {
    startMeter(1000)
    assert.ok(isCelMap(celFromJson({ a: 1 })))
    assert.ok(isCelList(celFromJson([1])))
    const list = celFromJson([1])
    assert.ok(isCelList(list) && isCelList(concatLists(list, list)))
    const result = compiled('type(event.data) == map && type(event.data.l) == list').evaluate(scopeWith({ l: [] }))
    assert.deepEqual(result, { ok: true, value: true })
  })

  const same: unknown[] = [
    null,
    true,
    0,
    1,
    -5,
    1.5,
    1e308,
    5e-324,
    'text',
    '',
    [],
    {},
    [1, [2, [null]]],
    { a: { b: [] } },
  ]
  for (const value of same) {
    it(`goes in and comes out: ${JSON.stringify(value)}`, () => {
      startMeter(1000)
      assert.deepEqual(jsonFromCel(celFromJson(value)), value)
    })
  }

  it('has ints where numbers are whole and exact, and doubles elsewhere', () => {
    for (const value of [0, 1, -1, 2 ** 53 - 1, -(2 ** 53) + 1]) assert.equal(celFromJson(value), BigInt(value))
    for (const value of [0.5, 2 ** 53, 1e300]) assert.equal(celFromJson(value), value)
  })

  it('is equal whatever the order of its fields, and is not where one is missing', () => {
    const scope = scopeWith({ a: { x: 1, y: 2 }, b: { y: 2, x: 1 }, c: { x: 1 }, d: { x: 1, y: null } })
    const outcomes = compiled(
      '[a == b, a == c, c == d].map(x, x)'.replace(/\b([abcd])\b(?= ==|,|\])/g, 'event.data.$1'),
    )
    assert.deepEqual(outcomes.evaluate(scope), { ok: true, value: [true, false, false] })
  })
})

describe('a list that grows', () => {
  it('is not seen to grow by those who have a shorter one', () => {
    const [one, two, three] = [[1], [2], [3]].map(celFromJson)
    assert.ok(isCelList(one) && isCelList(two) && isCelList(three))
    startMeter(1000)
    const short = concatLists(one, two)
    const left = concatLists(short, three)
    const right = concatLists(short, two)
    assert.deepEqual([short, left, right].map(jsonFromCel), [
      [1, 2],
      [1, 2, 3],
      [1, 2, 2],
    ])
    assert.deepEqual(jsonFromCel(concatLists(left, left)), [1, 2, 3, 1, 2, 3])
    assert.equal(short.get(2), undefined)
  })
})
