import type { Parsed } from './syntax-tree.ts'

/** Where in a text, both counted from 1; columns count characters as a person does. */
export interface Place {
  line: number
  column: number
}

export function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: [...before.at(-1)!].length + 1 }
}

/** Where a node of the tree stands: the name for a field or a method, the sign for an operator. */
export function placeOf(text: string, parsed: Parsed, nodeId: bigint | undefined): Place {
  const start = parsed.sourceInfo?.positions[String(nodeId)] ?? 0
  const offset = start + text.slice(start).search(/\S|$/)
  const isField = text[offset] === '.' && !/\d/.test(text[offset + 1] ?? '')
  return placeAt(text, isField ? offset + (/^\.\s*/.exec(text.slice(offset))?.[0].length ?? 0) : offset)
}

// Strings (raw ones, where a backslash is one, before those with escapes) and comments, in which nothing else counts;
// quoted fields, blanks and brackets.
const tokens = new RegExp(
  [
    String.raw`(?:[bB]?[rR]|[rR][bB])(?:"""[^]*?"""|'''[^]*?'''|"[^"\n]*"|'[^'\n]*')`,
    String.raw`"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''`,
    String.raw`"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'`,
    String.raw`//[^\n]*`,
    '`[^`\\n]*`',
    String.raw`\s{2,}`,
    String.raw`[([{\)\]}]`,
  ].join('|'),
  'g',
)

export function* tokensOf(text: string): Iterable<{ token: string; offset: number }> {
  for (const { 0: token, index } of text.matchAll(tokens)) yield { token, offset: index }
}

/** The first bracket that is nested deeper than allowed, so that the parser never meets it. */
export function tooDeepAt(text: string, allowed: number): Place | undefined {
  let depth = 0
  for (const { token, offset } of tokensOf(text)) {
    if (token.length > 1) continue
    depth += '([{'.includes(token) ? 1 : -1
    if (depth > allowed) return placeAt(text, offset)
  }
  return undefined
}
