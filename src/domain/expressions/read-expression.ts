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

/** The parser's errors carry where it stopped; its own words list all that might have stood there. */
function syntaxFault(written: string, given: ParserText, error: unknown): [message: string, place?: Place] {
  const stopped = stoppedAt(error)
  if (stopped === undefined) return [error instanceof Error ? error.message : 'it cannot be read']
  const offset = pastOperators(given.text, stopped)
  const place = placeAt(written, given.offsetIn(offset))
  const found = [...given.text.slice(offset).trimStart()][0]
  return [found === undefined ? 'the expression ends too early' : `unexpected '${found}'`, place]
}

function stoppedAt(error: unknown): number | undefined {
  return (error as { location?: { start?: { offset?: number } } } | undefined)?.location?.start?.offset
}

const operator = /^\s*(?:&&|\|\||[=!<>]=|[-+*/%<>?:]|in\b)\s*/

/** Where the right side of an operator cannot be read, the parser goes back to before the operator; this goes on from there. */
function pastOperators(text: string, stopped: number): number {
  let offset = stopped
  for (let times = 0; times < 10 && offset > 0; times += 1) {
    const found = operator.exec(text.slice(offset))
    if (!found) break
    const right = offset + found[0].length
    try {
      parse(text.slice(right))
      break
    } catch (error) {
      offset = right + (stoppedAt(error) ?? 0)
    }
  }
  return offset
}
