import { type Queryable, run, statement } from '../platform/db.ts'

const ensureSql = statement('maintenance/ensure_partitions')
const tablesSql = statement('maintenance/list_partitioned_tables')

/** Makes the partitions ahead, one table a transaction. Safe at any time, by many. */
export async function ensurePartitions(on: Queryable, daysAhead: number, now: Date): Promise<string[]> {
  const made: string[] = []
  for (const name of await partitionedTables(on)) {
    const rows = await run<{ name: string }>(on, ensureSql, [name, now, daysAhead])
    made.push(...rows.map((row) => row.name))
  }
  return made
}

export async function partitionedTables(on: Queryable): Promise<string[]> {
  return (await run<{ name: string }>(on, tablesSql, [])).map(({ name }) => name)
}
