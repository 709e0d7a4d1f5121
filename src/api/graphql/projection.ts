import {
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type SelectionSetNode,
} from 'graphql'
import type { ApiContext } from './context.ts'

/** Makes of a resolved value what is answered. Throws where it would have to wait, or to tell of a fault. */
export type Projection = (value: unknown, context: ApiContext) => unknown

export type Fragments = ReadonlyMap<string, FragmentDefinitionNode>

/** Thrown where a value cannot be told at once. */
export const notAtHand = new Error('not everything that is selected is at hand')

/**
 * The answer to a selection by the resolvers of its fields, without an executor, which costs ten times as much: for
 * values of which everything that is selected is at hand. undefined: the selection has something in it that is left to
 * the executor, such as arguments or directives.
 */
export function compileProjection(
  type: GraphQLOutputType,
  selections: SelectionSetNode | undefined,
  fragments: Fragments,
): Projection | undefined {
  if (isNonNullType(type)) {
    const project = compileProjection(type.ofType, selections, fragments)
    return (
      project &&
      ((value, context) => {
        const projected = project(value, context)
        if (projected === null) throw notAtHand
        return projected
      })
    )
  }
  if (isListType(type)) {
    const project = compileProjection(type.ofType, selections, fragments)
    return (
      project &&
      ((value, context) => {
        if (value === null || value === undefined) return null
        refuseToWait(value)
        if (!Array.isArray(value)) throw notAtHand
        const projected: unknown[] = []
        for (const item of value) projected.push(project(item, context))
        return projected
      })
    )
  }
  if (isLeafType(type)) {
    return (value) => {
      if (value === null || value === undefined) return null
      refuseToWait(value)
      const told: unknown = type.serialize(value)
      if (told === null || told === undefined) throw notAtHand
      return told
    }
  }
  return isObjectType(type) && selections ? compileObject(type, selections, fragments) : undefined
}

function refuseToWait(value: unknown): void {
  if (typeof value !== 'object') return
  if (value instanceof Promise) value.catch(() => {}) // the executor asks again, and hears of it
  if (value instanceof Promise || value instanceof Error) throw notAtHand
}

interface Member {
  key: string
  name: string
  resolve: GraphQLField<unknown, ApiContext>['resolve']
  project: Projection
}

/** No resolver of ours asks for it. */
const noInfo = Object.freeze({}) as GraphQLResolveInfo
const noArguments = Object.freeze({})

function compileObject(type: GraphQLObjectType, selections: SelectionSetNode, fragments: Fragments) {
  const collected = new Map<string, FieldNode[]>()
  if (!collect(type, selections, fragments, collected, new Set())) return undefined
  const members: Member[] = []
  for (const [key, nodes] of collected) {
    const { name, arguments: given } = nodes[0]!
    if (name.value === '__typename') {
      members.push({ key, name: name.value, resolve: () => type.name, project: (value) => value })
      continue
    }
    const field = type.getFields()[name.value] as GraphQLField<unknown, ApiContext> | undefined
    if (!field || field.args.length > 0 || given?.length) return undefined
    const project = compileProjection(field.type, joined(nodes), fragments)
    if (!project) return undefined
    members.push({ key, name: field.name, resolve: field.resolve, project })
  }
  return (value: unknown, context: ApiContext) => {
    if (value === null || value === undefined) return null
    refuseToWait(value)
    const source = value as Readonly<Record<string, unknown>>
    const told: Record<string, unknown> = {}
    for (const { key, name, resolve, project } of members) {
      const found = resolve ? resolve(source, noArguments, context, noInfo) : source[name]
      told[key] = project(found, context)
    }
    return told
  }
}

/** The fields by the key of the answer, as an executor collects them; false: there is more to it. */
function collect(
  type: GraphQLObjectType,
  selections: SelectionSetNode,
  fragments: Fragments,
  into: Map<string, FieldNode[]>,
  spread: Set<string>,
): boolean {
  return selections.selections.every((selection) => {
    if (selection.directives?.length) return false
    if (selection.kind === Kind.FIELD) {
      const key = selection.alias?.value ?? selection.name.value
      const nodes = into.get(key)
      if (nodes) nodes.push(selection)
      else into.set(key, [selection])
      return true
    }
    if (selection.kind === Kind.FRAGMENT_SPREAD) {
      if (spread.has(selection.name.value)) return true
      spread.add(selection.name.value)
    }
    const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value)
    if (!fragment || fragment.directives?.length) return false
    if (fragment.typeCondition && fragment.typeCondition.name.value !== type.name) return false
    return collect(type, fragment.selectionSet, fragments, into, spread)
  })
}

function joined(nodes: readonly FieldNode[]): SelectionSetNode | undefined {
  const [first] = nodes
  if (nodes.length === 1) return first!.selectionSet
  return (
    first!.selectionSet && {
      kind: Kind.SELECTION_SET,
      selections: nodes.flatMap(({ selectionSet }) => selectionSet?.selections ?? []),
    }
  )
}
