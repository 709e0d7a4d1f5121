import { builder } from './builder.ts'
import { fault } from './errors.ts'

const defaultSize = 20
export const maxPageSize = 100

export const PaginationInput = builder.inputType('PaginationInput', {
  description: `Forward: first, after. Backward: last, before. At most ${maxPageSize}, ${defaultSize} if nothing is said.`,
  fields: (t) => ({ first: t.int(), after: t.string(), last: t.int(), before: t.string() }),
})

type Pagination = typeof PaginationInput.$inferInput

/** What part of a list is wanted. A list begins with its newest entry: `after` a cursor is older than it. */
export interface PageWindow<Place> {
  size: number
  /** false: read from the old end, and turn around. */
  newestFirst: boolean
  olderThan?: Place
  newerThan?: Place
}

function sizeOf(pagination: Pagination): number {
  for (const name of ['first', 'last'] as const) {
    const size = pagination[name]
    if (size != null && (size < 1 || size > maxPageSize)) {
      throw fault('BAD_USER_INPUT', `pagination.${name} must be 1 to ${maxPageSize}`, { path: ['pagination', name] })
    }
  }
  if (pagination.first != null && pagination.last != null) {
    throw fault('BAD_USER_INPUT', 'pagination takes first or last, not both', { path: ['pagination', 'last'] })
  }
  return pagination.first ?? pagination.last ?? defaultSize
}

/** Reads the pagination argument. Throws BAD_USER_INPUT. */
export function pageWindow<Place>(
  pagination: Pagination | null | undefined,
  decode: (cursor: string, path: readonly string[]) => Place,
): PageWindow<Place> {
  const given = pagination ?? {}
  return {
    size: sizeOf(given),
    newestFirst: given.last == null,
    olderThan: given.after == null ? undefined : decode(given.after, ['pagination', 'after']),
    newerThan: given.before == null ? undefined : decode(given.before, ['pagination', 'before']),
  }
}

export interface Connection<Node> {
  edges: { node: Node; cursor: string }[]
  nodes: Node[]
  pageInfo: PageInfoShape
}

interface PageInfoShape {
  hasNextPage: boolean
  hasPreviousPage: boolean
  startCursor: string | null
  endCursor: string | null
}

/** Makes a page of the rows read: one more than wanted says that the list goes on, in the direction of reading. */
export function toConnection<Node, Place>(
  read: readonly Node[],
  window: PageWindow<Place>,
  cursorOf: (node: Node) => string,
): Connection<Node> {
  const more = read.length > window.size
  const nodes = read.slice(0, window.size)
  if (!window.newestFirst) nodes.reverse()
  const edges = nodes.map((node) => ({ node, cursor: cursorOf(node) }))
  return {
    edges,
    nodes,
    pageInfo: {
      hasNextPage: window.newestFirst ? more : window.newerThan !== undefined,
      hasPreviousPage: window.newestFirst ? window.olderThan !== undefined : more,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

export const PageInfo = builder.objectRef<PageInfoShape>('PageInfo').implement({
  fields: (t) => ({
    hasNextPage: t.exposeBoolean('hasNextPage'),
    hasPreviousPage: t.exposeBoolean('hasPreviousPage'),
    startCursor: t.exposeString('startCursor', { nullable: true }),
    endCursor: t.exposeString('endCursor', { nullable: true }),
  }),
})
