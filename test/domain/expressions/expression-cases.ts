import assert from 'node:assert/strict'
import {
  type CompileOptions,
  compileExpression,
  type Expression,
} from '../../../src/domain/expressions/compile-expression.ts'
import { type RecipientFacts, type Scope, scopeOf } from '../../../src/domain/expressions/scope.ts'

export const at = new Date('2026-03-01T22:30:00Z')

export const recipient: RecipientFacts = {
  id: 'user-1',
  name: 'Ada',
  timezone: 'Europe/Berlin',
  roles: ['admin', 'buyer'],
  groups: [],
  attributes: { plan: 'gold', seats: 3 },
}

/** A scope with one event of a shop, whose data is given or the usual. */
export function scopeWith(
  data: Record<string, unknown>,
  of: { recipient?: RecipientFacts; category?: string } = {},
): Scope {
  const event = {
    id: 'event-1',
    type: 'commerce.order.created',
    domain: 'commerce',
    source: 'shop',
    occurredAt: new Date('2026-03-01T21:00:00Z'),
    acceptedAt: new Date('2026-03-01T21:00:01Z'),
    priority: 2,
    category: of.category,
    data,
  }
  return scopeOf({ event, recipient: of.recipient, now: at })
}

export function compiled(text: string, kind: CompileOptions['kind'] = 'value'): Expression {
  const result = compileExpression(text, { kind })
  assert.ok(result.ok, `${text}: ${result.ok || result.message}`)
  return result.expression
}

/** What an expression gives, or the code of its fault. */
export function outcomeOf(text: string, scope: Scope): unknown {
  const result = compiled(text).evaluate(scope)
  return result.ok ? result.value : result.code
}
