import { type Queryable, run, statement } from '../../platform/db.ts'

const plannedSql = statement('match/planned_before')

/** Which of these notifications are there already: of a chunk that comes again, what a worker planned before it was lost. */
export async function plannedBefore(
  on: Queryable,
  tenantId: string,
  notificationIds: readonly string[],
): Promise<Set<string>> {
  if (notificationIds.length === 0) return new Set()
  const ids = [...notificationIds].sort()
  const rows = await run<{ id: string }>(on, plannedSql, [tenantId, ids, ids[0], ids.at(-1)])
  return new Set(rows.map(({ id }) => id))
}
