import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
} from 'graphql'

type Variables = Readonly<Record<string, unknown>>

/** How many entries a list field may give, where the request does not say. */
const usualSize: Readonly<Record<string, number>> = {
  deliveries: 3,
  attempts: 3,
  deliveryAttempts: 5,
  webhookEndpoints: 50,
  contactPoints: 5,
  categories: 20,
  consents: 20,
  preferenceHistory: 20,
}
const pagedFields = new Set(['notifications', 'inbox', 'deadLetters', 'suppressions'])
const pageParts = new Set(['edges', 'nodes'])
const bulkFields = new Set(['sendNotifications', 'publishEvents', 'upsertRecipients', 'addSuppressions'])
const usualPage = 20
const largestPage = 100
/** Answers of bulk mutations are told from memory: ten of them cost as much as one that is read. */
const answersPerCost = 10

/**
 * The cost of an operation: one a field, times the size of the lists it stands in. Introspection counts one a field.
 * Fragments are counted once each, however often they are spread, so that this stays linear in the document.
 */
export function operationCost(
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Variables,
): number {
  const fragments = new Map<string, FragmentDefinitionNode>()
  let operation: OperationDefinitionNode | undefined
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition)
    else if (
      definition.kind === Kind.OPERATION_DEFINITION &&
      (!operationName || definition.name?.value === operationName)
    ) {
      operation ??= definition
    }
  }
  if (!operation) return 0
  const known = new Map<string, number>()

  /** `pageSize`: of the connection whose fields these are. */
  function costOf(selections: SelectionSetNode, pageSize: number): number {
    let cost = 0
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) cost += costOfField(selection, pageSize)
      else if (selection.kind === Kind.INLINE_FRAGMENT) cost += costOf(selection.selectionSet, pageSize)
      else cost += costOfFragment(selection.name.value, pageSize)
    }
    return cost
  }

  function costOfFragment(name: string, pageSize: number): number {
    const key = `${name} ${pageSize}`
    const before = known.get(key)
    if (before !== undefined) return before
    known.set(key, 0) // a fragment in itself is refused by validation
    const fragment = fragments.get(name)
    const cost = fragment ? costOf(fragment.selectionSet, pageSize) : 0
    known.set(key, cost)
    return cost
  }

  function costOfField(field: FieldNode, pageSize: number): number {
    if (!field.selectionSet) return 1
    const name = field.name.value
    const argument = (wanted: string) => field.arguments?.find((one) => one.name.value === wanted)
    if (pagedFields.has(name) && argument('inputs') === undefined) {
      return 1 + costOf(field.selectionSet, requestedPage(argument('pagination'), variables))
    }
    if (pageParts.has(name)) return 1 + pageSize * costOf(field.selectionSet, 1)
    if (bulkFields.has(name)) {
      const size = Math.ceil(listLength(argument('inputs')?.value, variables) / answersPerCost)
      return 1 + Math.max(1, size) * costOf(field.selectionSet, 1)
    }
    if (name === 'capturedMessages') {
      return 1 + (whole(argument('limit')?.value, variables) ?? 50) * costOf(field.selectionSet, 1)
    }
    return 1 + (usualSize[name] ?? 1) * costOf(field.selectionSet, 1)
  }

  return costOf(operation.selectionSet, 1)
}

function requestedPage(argument: ArgumentNode | undefined, variables: Variables): number {
  const pagination = argument?.value
  if (!pagination) return usualPage
  let size: number | undefined
  if (pagination.kind === Kind.VARIABLE) {
    const given = variables[pagination.name.value] as { first?: unknown; last?: unknown } | null | undefined
    const wanted = given?.first ?? given?.last
    size = typeof wanted === 'number' ? wanted : undefined
  } else if (pagination.kind === Kind.OBJECT) {
    for (const field of pagination.fields) {
      if (field.name.value === 'first' || field.name.value === 'last') size ??= whole(field.value, variables)
    }
  }
  return Math.min(Math.max(size ?? usualPage, 1), largestPage)
}

function whole(value: ValueNode | undefined, variables: Variables): number | undefined {
  if (value?.kind === Kind.INT) return Number(value.value)
  if (value?.kind !== Kind.VARIABLE) return undefined
  const given = variables[value.name.value]
  return typeof given === 'number' ? given : undefined
}

function listLength(value: ValueNode | undefined, variables: Variables): number {
  if (value?.kind === Kind.LIST) return value.values.length
  if (value?.kind !== Kind.VARIABLE) return 1
  const given = variables[value.name.value]
  return Array.isArray(given) ? given.length : 1
}
