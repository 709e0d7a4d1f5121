import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { eventFields, recipientFields } from '../../../src/domain/expressions/declarations.ts'
import { evaluationFaults } from '../../../src/domain/expressions/expression-fault.ts'
import { expressionLimits } from '../../../src/domain/expressions/expression-limits.ts'
import { scopeOf } from '../../../src/domain/expressions/scope.ts'
import { priorities } from '../../../src/domain/priority.ts'
import { at, outcomeOf } from './expression-cases.ts'

const page = readFileSync(new URL('../../../docs/expressions.md', import.meta.url), 'utf8')

describe('docs/expressions.md', () => {
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!)
  const event = {
    id: '1',
    acceptedAt: at,
    ...example,
    occurredAt: new Date(example.occurredAt),
    priority: priorities.HIGH,
  }
  const scope = scopeOf({ event, recipient: { id: '1', roles: ['buyer'], attributes: { plan: 'gold' } }, now: at })
  const rows = [...page.matchAll(/^\| (`{1,2})(.+?)\1 \| `(.+)` \|$/gm)]

  for (const [, , text, given] of rows) {
    it(`${text} gives ${given}`, () => assert.deepEqual(outcomeOf(text!, scope), JSON.parse(given!)))
  }

  it('names every field, every fault and every limit', () => {
    assert.ok(rows.length >= 20, `${rows.length} examples`)
    for (const field of Object.keys(eventFields)) assert.ok(page.includes(`\`event.${field}\``), field)
    for (const field of Object.keys(recipientFields)) assert.ok(page.includes(`\`recipient.${field}\``), field)
    for (const code of evaluationFaults) assert.ok(page.includes(`| \`${code}\` |`), code)
    const { length, depth, nodes, cost, textLength, listLength, patternLength, patternRepeats } = expressionLimits
    for (const limit of [length, depth, nodes, cost, textLength, listLength, patternLength, patternRepeats]) {
      assert.ok(page.includes(limit.toLocaleString('en')), String(limit))
    }
  })
})
