import { readExpression } from './expressions/read-expression.ts'
import type { SyntaxTree } from './expressions/syntax-tree.ts'

/** What an expression cannot be true without: one of these types (`a.*`: all that begin so), one of these domains. */
export interface Narrowing {
  types?: readonly string[]
  domains?: readonly string[]
}

/**
 * What a condition says of an event's type and domain, where it says it plainly: `event.type == "…"`, `in […]`,
 * `startsWith("….")`, with `&&` and `||` between them. By it a rule is found that names its types in CEL alone. CEL's `&&` is
 * false where one side is, whatever becomes of the other, so a rule that is not asked would have said no.
 */
export function narrowingOf(condition: string): Narrowing {
  const read = readExpression(condition)
  return read.ok ? narrow(read.parsed.expr) : {}
}

function narrow(node: SyntaxTree): Narrowing {
  if (node.exprKind.case !== 'callExpr') return {}
  const { function: name, target, args } = node.exprKind.value
  switch (name) {
    case '_&&_':
      return args.map(narrow).reduce((one, other) => ({
        types: shorter(one.types, other.types),
        domains: shorter(one.domains, other.domains),
      }))
    case '_||_':
      return args.map(narrow).reduce((one, other) => ({
        types: union(one.types, other.types),
        domains: union(one.domains, other.domains),
      }))
    case '_==_': {
      const [left, right] = args
      return said(fieldOf(left), textOf(right)) ?? said(fieldOf(right), textOf(left)) ?? {}
    }
    case '@in': {
      const list = args[1]?.exprKind
      const texts = list?.case === 'listExpr' ? list.value.elements.map(textOf) : [undefined]
      return said(fieldOf(args[0]), ...texts) ?? {}
    }
    case 'startsWith': {
      const text = textOf(args[0])
      const isWhole = text !== undefined && text.length > 1 && text.endsWith('.')
      return fieldOf(target) === 'type' && isWhole ? { types: [`${text}*`] } : {}
    }
    default:
      return {}
  }
}

const shorter = (one?: readonly string[], other?: readonly string[]) =>
  one && other ? (other.length < one.length ? other : one) : (one ?? other)
const union = (one?: readonly string[], other?: readonly string[]) => one && other && [...one, ...other]

/** undefined: it says nothing plain. A text that reads as a pattern is none here. */
function said(field: string | undefined, ...texts: (string | undefined)[]): Narrowing | undefined {
  if (texts.some((text) => text === undefined || text.endsWith('*'))) return undefined
  if (field === 'type') return { types: texts as string[] }
  if (field === 'domain') return { domains: texts as string[] }
  return undefined
}

/** `type` of `event.type`. */
function fieldOf(node: SyntaxTree | undefined): string | undefined {
  if (node?.exprKind.case !== 'selectExpr') return undefined
  const { operand, field, testOnly } = node.exprKind.value
  const isEvent = operand?.exprKind.case === 'identExpr' && operand.exprKind.value.name === 'event'
  return isEvent && !testOnly ? field : undefined
}

function textOf(node: SyntaxTree | undefined): string | undefined {
  if (node?.exprKind.case !== 'constExpr') return undefined
  const { constantKind } = node.exprKind.value
  return constantKind.case === 'stringValue' ? constantKind.value : undefined
}
