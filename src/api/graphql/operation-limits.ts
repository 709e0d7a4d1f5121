import {
  type ASTVisitor,
  type DocumentNode,
  type ExecutionArgs,
  type FragmentDefinitionNode,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql'
import type { Plugin } from 'graphql-yoga'
import { fault } from './errors.ts'
import { operationCost } from './operation-cost.ts'

export interface OperationLimits {
  depth: number
  aliases: number
  cost: number
}

/** Introspection is deep by nature, and graphql-js bounds it itself; below these fields depth is not counted. */
const introspection = new Set(['__schema', '__type'])

/** Refuses operations that are too deep, too repetitive, or too costly, before anything of them runs. */
export function useOperationLimits(limits: OperationLimits): Plugin {
  return {
    onValidate({ addValidationRule }) {
      addValidationRule((context: ValidationContext) => limitShape(context, limits))
    },
    onExecute: ({ args }) => limitCost(args as ExecutionArgs, limits),
    onSubscribe: ({ args }) => limitCost(args as ExecutionArgs, limits),
  }
}

function limitShape(context: ValidationContext, limits: OperationLimits): ASTVisitor {
  return {
    Document(document: DocumentNode) {
      const shape = shapeOf(document)
      if (shape.depth > limits.depth) {
        context.reportError(tooComplex(`it is ${shape.depth} levels deep, and ${limits.depth} are allowed`))
      }
      if (shape.aliases > limits.aliases) {
        context.reportError(tooComplex(`it has ${shape.aliases} aliases, and ${limits.aliases} are allowed`))
      }
    },
  }
}

/** Aliases are counted where they are written; spreading a fragment repeats no key of the answer. */
function shapeOf(document: DocumentNode): { depth: number; aliases: number } {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
  }
  const known = new Map<string, number>()
  let aliases = 0

  function depthOf(selections: SelectionSetNode): number {
    let deepest = 0
    for (const selection of selections.selections) {
      let depth = 0
      if (selection.kind === Kind.FIELD) {
        if (selection.alias) aliases++
        depth = 1
        if (selection.selectionSet && !introspection.has(selection.name.value)) depth += depthOf(selection.selectionSet)
      } else if (selection.kind === Kind.INLINE_FRAGMENT) depth = depthOf(selection.selectionSet)
      else depth = depthOfFragment(selection.name.value)
      deepest = Math.max(deepest, depth)
    }
    return deepest
  }

  function depthOfFragment(name: string): number {
    const before = known.get(name)
    if (before !== undefined) return before
    known.set(name, 0) // a fragment in itself is refused by another rule
    const fragment = fragments.get(name)
    const depth = fragment ? depthOf(fragment.selectionSet) : 0
    known.set(name, depth)
    return depth
  }

  let depth = 0
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) depth = Math.max(depth, depthOf(definition.selectionSet))
  }
  return { depth, aliases }
}

/** Costs depend on variables, so they are counted at execution and not at validation, whose result is kept. */
function limitCost(args: ExecutionArgs, limits: OperationLimits): void {
  const cost = operationCost(args.document, args.operationName, args.variableValues ?? {})
  if (cost > limits.cost) throw tooComplex(`it costs ${cost}, and ${limits.cost} are allowed`)
}

const tooComplex = (why: string) => fault('TOO_COMPLEX', `the operation is too complex: ${why}`, { status: 400 })
