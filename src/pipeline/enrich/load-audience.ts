import { type Queryable, run, statement } from '../../platform/db.ts'

const audienceSql = statement('enrich/load_audience')

/** Whom to load: the union of all that is named. */
export interface AudienceSelector {
  userIds?: readonly string[]
  roles?: readonly string[]
  groups?: readonly string[]
}

export interface AudiencePage extends AudienceSelector {
  /** Goes on behind this external id; absent or '': from the beginning. */
  after?: string
  limit: number
}

interface Row extends Record<string, unknown> {
  place: number
  recipient_id: string
}

/**
 * A page of each audience, in one statement: external ids in order, each once, in the database's order of text. Users who are
 * named are there whether we know them or not. A page shorter than its limit is the last one.
 */
export async function loadAudiences(
  on: Queryable,
  tenantId: string,
  pages: readonly AudiencePage[],
): Promise<string[][]> {
  const found: string[][] = pages.map(() => [])
  if (pages.length === 0) return found
  const asked = pages.map(({ userIds = [], roles = [], groups = [], after = '', limit }) => ({
    users: userIds,
    sets: [...roles.map((name) => ({ kind: 'role', name })), ...groups.map((name) => ({ kind: 'group', name }))],
    after,
    limit,
  }))
  for (const row of await run<Row>(on, audienceSql, [tenantId, JSON.stringify(asked)])) {
    found[row.place - 1]!.push(row.recipient_id)
  }
  return found
}

/** One page of one audience. */
export async function loadAudience(
  on: Queryable,
  tenantId: string,
  selector: AudienceSelector,
  after: string,
  limit: number,
): Promise<string[]> {
  return (await loadAudiences(on, tenantId, [{ ...selector, after, limit }]))[0]!
}
