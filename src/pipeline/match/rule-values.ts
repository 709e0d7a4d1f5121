import { createHash } from 'node:crypto'
import type { Evaluated } from '../../domain/expressions/compile-expression.ts'

const maxIds = 10_000
const maxIdLength = 255

/** What a selector's expression gave, as external ids; null and empty texts are nobody. */
export function idsOf(
  evaluated: Evaluated,
): { ok: true; ids: string[] } | { ok: false; code: string; message: string } {
  if (!evaluated.ok) return evaluated
  const given = Array.isArray(evaluated.value) ? (evaluated.value as unknown[]) : [evaluated.value]
  if (given.length > maxIds) return { ok: false, code: 'too_many', message: `gave more than ${maxIds} ids` }
  const ids: string[] = []
  for (const one of given) {
    if (one === null || one === undefined || one === '') continue
    const id = typeof one === 'number' && Number.isSafeInteger(one) ? String(one) : one
    if (typeof id !== 'string') return { ok: false, code: 'type', message: 'did not give an id or a list of ids' }
    if (id.length > maxIdLength || !storable.test(id)) {
      return { ok: false, code: 'type', message: `gave an id that is none, or longer than ${maxIdLength}` }
    }
    ids.push(id)
  }
  return { ok: true, ids }
}

const maxKeyLength = 200

/** Which of a rule's digests or groups: keys may be long, and hold what people wrote. */
export function foldKey(ruleId: string, value: unknown): string {
  return value === undefined ? `rule:${ruleId}` : `rule:${ruleId}:${shortKey(value)}`
}

/** A value as a text that can stand in an index; what is longer, or cannot be stored, as its hash. */
export function shortKey(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const short = text.length <= maxKeyLength && storable.test(text)
  return short ? text : `sha256:${createHash('sha256').update(text).digest('hex')}`
}

const storable = /^[^\p{Cc}\p{Cs}]*$/u
