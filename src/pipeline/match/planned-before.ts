import { intentIdOf, notificationId } from '../../domain/ids.ts'
import { type Queryable, run, statement } from '../../platform/db.ts'

const plannedSql = statement('match/planned_before')

/**
 * The events among these whose page was planned before, by a worker that was lost before it could say so. Rules may have
 * changed since, so they are not matched anew: `ordinal` is the last one before the page.
 */
export async function plannedBefore(
  on: Queryable,
  tenantId: string,
  intentIds: readonly string[],
  ordinal: number,
): Promise<Set<string>> {
  if (intentIds.length === 0) return new Set()
  const firsts = intentIds.map((id) => notificationId(id, ordinal + 1)).sort()
  const rows = await run<{ id: string }>(on, plannedSql, [tenantId, firsts, firsts[0], firsts.at(-1)])
  return new Set(rows.map(({ id }) => intentIdOf(id)))
}
