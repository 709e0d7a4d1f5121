import { tokensOf } from './source-text.ts'
import { childrenOf, type Parsed, type SyntaxTree } from './syntax-tree.ts'

/** What the specification allows between backticks. */
const quotedField = /^`[A-Za-z0-9_.\-/ ]+`$/

/** What the parser is given in place of a text, and the way back. */
export interface ParserText {
  text: string
  /** Where a place of it is in the text that was written. */
  offsetIn(offset: number): number
  /** Gives quoted fields their names back and nodes their places, in the tree itself. */
  restore(parsed: Parsed): void
}

/**
 * The parser knows no fields in backticks (`event.data.`content-type``), stops at a second line of comment, and takes its time
 * over blanks. So it is given such fields under names that stand nowhere else, and one blank for many.
 */
export function parserTextOf(written: string): ParserText {
  const names = new Map<string, string>()
  const moved: { from: number; by: number }[] = []
  let text = ''
  let from = 0
  const put = (offset: number, length: number, instead: string) => {
    text += written.slice(from, offset) + instead
    from = offset + length
    moved.push({ from: text.length, by: from - text.length })
  }
  for (const { token, offset } of tokensOf(written)) {
    if (token.startsWith('//') || /^\s/.test(token)) put(offset, token.length, token.includes('\n') ? '\n' : ' ')
    else if (quotedField.test(token)) {
      const name = unusedName(written, names.size)
      names.set(name, token.slice(1, -1))
      put(offset, token.length, name)
    }
  }
  text += written.slice(from)
  const offsetIn = (offset: number) => offset + (moved.findLast((piece) => piece.from <= offset)?.by ?? 0)
  return {
    text,
    offsetIn,
    restore({ expr, sourceInfo }) {
      if (names.size > 0) restoreNames(expr, names)
      if (!sourceInfo || moved.length === 0) return
      for (const [id, offset] of Object.entries(sourceInfo.positions)) sourceInfo.positions[id] = offsetIn(offset)
    },
  }
}

function unusedName(text: string, count: number): string {
  let name = `_quoted${count}`
  while (text.includes(name)) name = `_${name}`
  return name
}

function restoreNames(root: SyntaxTree, names: ReadonlyMap<string, string>): void {
  const kind = root.exprKind
  if (kind.case === 'selectExpr') kind.value.field = names.get(kind.value.field) ?? kind.value.field
  if (kind.case === 'identExpr' && names.has(kind.value.name)) kind.value.name = `\`${names.get(kind.value.name)}\``
  if (kind.case === 'structExpr') {
    for (const { keyKind } of kind.value.entries) {
      if (keyKind.case === 'fieldKey') keyKind.value = names.get(keyKind.value) ?? keyKind.value
    }
  }
  for (const child of childrenOf(root)) restoreNames(child, names)
}
