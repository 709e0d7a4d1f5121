import { parse } from '@bufbuild/cel'
import { expressionLimits } from './expression-limits.ts'
import { type ParserText, parserTextOf } from './parser-text.ts'
import { type Place, placeAt, tooDeepAt } from './source-text.ts'
import { isTooLarge, type Parsed } from './syntax-tree.ts'

export type Refused = { ok: false; message: string } & Place

/** The tree of a text that is within the limits. */
export function readExpression(text: string): { ok: true; parsed: Parsed } | Refused {
  const { length, depth, nodes } = expressionLimits
  if (text.trim() === '') return refused('an expression must not be empty')
  if (text.length > length)
    return refused(`an expression has at most ${length} characters, and this has ${text.length}`)
  const tooDeep = tooDeepAt(text, depth)
  if (tooDeep) return refused(`it is nested more than ${depth} deep`, tooDeep)
  const given = parserTextOf(text)
  let parsed: Parsed
  try {
    parsed = parse(given.text)
  } catch (error) {
    if (error instanceof RangeError) return refused(`it is nested more than ${depth} deep`)
    return refused(...syntaxFault(text, given, error))
  }
  if (isTooLarge(parsed.expr)) return refused(`it is too large: at most ${nodes} parts, nested ${depth} deep`)
  given.restore(parsed)
  return { ok: true, parsed }
}

function refused(message: string, place: Place = { line: 1, column: 1 }): Refused {
  return { ok: false, message, ...place }
}

/** The parser's errors carry what it found, and where; its own words list all that might have stood there. */
function syntaxFault(text: string, given: ParserText, error: unknown): [message: string, place?: Place] {
  const { location, found } = error as { location?: { start?: { offset?: number } }; found?: unknown }
  const start = location?.start?.offset
  if (start === undefined) return [error instanceof Error ? error.message : 'it cannot be read']
  const offset = given.offsetIn(start)
  const place = placeAt(text, offset)
  // After an operator that lacks its right side the parser goes back to before it.
  if (!/[\w"'([{]/.test(text.slice(offset))) return ['the expression ends too early', place]
  return [`unexpected ${typeof found === 'string' && found !== '' ? `'${found}'` : 'text'}`, place]
}
