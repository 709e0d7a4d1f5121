import assert from 'node:assert/strict'
import { it } from 'node:test'
import { getConformanceSuite, type IncrementalTestSuite } from '@bufbuild/cel-spec/testdata/tests.js'
import { compileExpression } from '../../../src/domain/expressions/compile-expression.ts'
import { evaluationFaults } from '../../../src/domain/expressions/expression-fault.ts'
import { recipient, scopeWith } from './expression-cases.ts'

const pieces = [
  'event',
  'event.data',
  'event.data.list',
  'recipient',
  'now',
  '.a',
  '[0]',
  '.map(x, ',
  ')',
  '(',
  '"',
  "'",
  '`',
]
pieces.push(
  '\\',
  '{',
  '}',
  '//',
  '\n',
  '&&',
  '||',
  '!',
  '-',
  '+',
  '?',
  ':',
  'in',
  '1',
  '1.5',
  '1u',
  'null',
  '.size()',
  '🙂',
  '\u0000',
)

/** The same numbers each time. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function textsOf(suite: IncrementalTestSuite): string[] {
  return [...suite.tests.map(({ original }) => original.expr), ...suite.suites.flatMap(textsOf)]
}

it('a text with faults is refused with a place, or is evaluated to a value or a fault, and never throws', () => {
  const below = numbersFrom(20261120)
  const texts = textsOf(getConformanceSuite()).filter((text) => text.length < 200)
  const scope = scopeWith({ list: [1, 'a', null, { a: [2.5] }], a: { a: 1 } }, { recipient })
  const seen = { refused: 0, value: 0, fault: 0 }
  for (let times = 0; times < 4000; times += 1) {
    let text = texts[below(texts.length)]!
    for (let change = below(4); change >= 0; change -= 1) {
      const from = below(text.length + 1)
      const middle = below(3) === 0 ? texts[below(texts.length)]!.slice(0, 30) : pieces[below(pieces.length)]!
      text = text.slice(0, from) + middle + text.slice(from + below(4))
    }
    const compiled = compileExpression(text, { kind: 'value' })
    if (!compiled.ok) {
      seen.refused += 1
      assert.ok(compiled.message.length > 0 && compiled.message.length < 600, text)
      assert.ok(compiled.line >= 1 && compiled.column >= 1 && compiled.column <= text.length + 1, text)
      continue
    }
    const result = compiled.expression.evaluate(scope)
    if (result.ok) JSON.stringify(result.value)
    else assert.ok(evaluationFaults.includes(result.code), text)
    seen[result.ok ? 'value' : 'fault'] += 1
  }
  assert.ok(seen.refused > 1000 && seen.value > 100 && seen.fault > 10, JSON.stringify(seen))
})
