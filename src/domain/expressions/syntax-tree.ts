import type { parse } from '@bufbuild/cel'
import { meteredRange } from './environment.ts'
import { expressionLimits } from './expression-limits.ts'

export type Parsed = ReturnType<typeof parse>

export type SyntaxTree = Parsed['expr']

/** What a node of one kind holds. */
export type NodeOf<Kind extends SyntaxTree['exprKind']['case']> = Extract<
  SyntaxTree['exprKind'],
  { case: Kind }
>['value']

export type Comprehension = NodeOf<'comprehensionExpr'>

/** What is wrong with an expression, and with which part of it. */
export class TypeFault extends Error {
  readonly nodeId: bigint

  constructor(node: SyntaxTree, message: string) {
    super(message)
    this.nodeId = node.id
  }
}

/** The nodes directly below one, in the order of the text. */
export function childrenOf(node: SyntaxTree): SyntaxTree[] {
  const kind = node.exprKind
  switch (kind.case) {
    case 'callExpr':
      return kind.value.target ? [kind.value.target, ...kind.value.args] : kind.value.args
    case 'selectExpr':
      return kind.value.operand ? [kind.value.operand] : []
    case 'listExpr':
      return kind.value.elements
    case 'structExpr':
      return kind.value.entries.flatMap((entry) => [
        ...(entry.keyKind.case === 'mapKey' ? [entry.keyKind.value] : []),
        ...(entry.value ? [entry.value] : []),
      ])
    case 'comprehensionExpr': {
      const { iterRange, accuInit, loopCondition, loopStep, result } = kind.value
      return [iterRange, accuInit, loopCondition, loopStep, result].filter((child) => child !== undefined)
    }
    default:
      return []
  }
}

/** Whether a tree is within the limits; without recursion, as it may be as deep as its text is long. */
export function isTooLarge(root: SyntaxTree): boolean {
  let nodes = 0
  let level = [root]
  for (let depth = 1; level.length > 0; depth += 1) {
    nodes += level.length
    if (depth > expressionLimits.depth || nodes > expressionLimits.nodes) return true
    level = level.flatMap(childrenOf)
  }
  return false
}

/** Wraps the range of each comprehension in the call that draws what it costs; the tree is changed in place. */
export function meterComprehensions(root: SyntaxTree): void {
  for (const child of childrenOf(root)) meterComprehensions(child)
  const kind = root.exprKind
  if (kind.case !== 'comprehensionExpr' || !kind.value.iterRange) return
  const { iterRange, loopCondition, loopStep } = kind.value
  const weight = BigInt(countNodes(loopCondition) + countNodes(loopStep))
  kind.value.iterRange = node(iterRange, {
    case: 'callExpr',
    value: {
      $typeName: 'cel.expr.Expr.Call',
      function: meteredRange,
      args: [
        iterRange,
        node(iterRange, {
          case: 'constExpr',
          value: { $typeName: 'cel.expr.Constant', constantKind: { case: 'int64Value', value: weight } },
        }),
      ],
    },
  })
}

function node(at: SyntaxTree, exprKind: SyntaxTree['exprKind']): SyntaxTree {
  return { $typeName: 'cel.expr.Expr', id: at.id, exprKind }
}

export function countNodes(root: SyntaxTree | undefined): number {
  return root ? childrenOf(root).reduce((sum, child) => sum + countNodes(child), 1) : 0
}

/** The names of variables that occur in it, those of macros not left out. */
export function namesIn(root: SyntaxTree, names = new Set<string>()): Set<string> {
  if (root.exprKind.case === 'identExpr') names.add(root.exprKind.value.name.replace(/^\./, ''))
  for (const child of childrenOf(root)) namesIn(child, names)
  return names
}
