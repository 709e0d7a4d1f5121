import type pg from 'pg'
import { run, statement } from '../platform/db.ts'
import { ensurePartitions, partitionedTables } from '../store/partitions.ts'

const expiredSql = statement('maintenance/list_expired_partitions')
const dropSql = statement('maintenance/drop_partition')
const endDaySql = statement('maintenance/end_day')
const retentionSql = statement('maintenance/set_retention')

export interface Retention {
  flowDays: number
  auditDays: number
  inboxDays: number
  /** Days a partition of idempotency keys is kept: one more than keys live. */
  keyDays: number
}

export interface MaintenanceReport {
  made: string[]
  dropped: string[]
  /** Partitions past their retention that still have something to do. */
  kept: { partition: string; because: string }[]
}

/** The daily duty: partitions ahead are made, those of days that are over vacuumed, those past their retention dropped. Runs as the worker. */
export async function maintainPartitions(
  pool: pg.Pool,
  settings: { daysAhead: number; retention: Retention },
  now: Date,
): Promise<MaintenanceReport> {
  const { flowDays, auditDays, inboxDays, keyDays } = settings.retention
  await run(pool, retentionSql, [flowDays, auditDays, inboxDays, keyDays])
  const report: MaintenanceReport = {
    made: await ensurePartitions(pool, settings.daysAhead, now),
    dropped: [],
    kept: [],
  }
  for (const table of await partitionedTables(pool)) await unlessInUse(() => run(pool, endDaySql, [table, now]))
  interface Expired extends Record<string, unknown> {
    table_name: string
    partition_name: string
    day: string
  }
  for (const { table_name, partition_name, day } of await run<Expired>(pool, expiredSql, [now])) {
    const because = await dropPartition(pool, table_name, day, now)
    if (because === null) report.dropped.push(partition_name)
    else report.kept.push({ partition: partition_name, because })
  }
  return report
}

/** Drops one day in a transaction of its own; somebody in its way keeps it until the next time. */
async function dropPartition(pool: pg.Pool, table: string, day: string, now: Date): Promise<string | null> {
  const rows = await unlessInUse(() => run<{ kept_because: string | null }>(pool, dropSql, [table, day, now]))
  return rows === undefined ? 'in use by an open transaction' : rows[0]!.kept_because
}

/** Undefined: somebody is in the way, and the next time will do. */
async function unlessInUse<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === '55P03' || code === '40P01') return undefined
    throw error
  }
}
