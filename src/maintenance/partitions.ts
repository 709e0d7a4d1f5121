import type pg from 'pg'
import { type Queryable, run, statement } from '../platform/db.ts'

const ensureSql = statement('maintenance/ensure_partitions')
const dropSql = statement('maintenance/drop_expired_partitions')
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

/** Makes the partitions ahead. Safe at any time, by many. */
export async function ensurePartitions(on: Queryable, daysAhead: number, now: Date): Promise<string[]> {
  const rows = await run<{ name: string }>(on, ensureSql, [now, daysAhead])
  return rows.map(({ name }) => name)
}

/** The daily duty: partitions ahead are made, those past their retention dropped. Runs as the worker. */
export async function maintainPartitions(
  pool: pg.Pool,
  settings: { daysAhead: number; retention: Retention },
  now: Date,
): Promise<MaintenanceReport> {
  const made = await ensurePartitions(pool, settings.daysAhead, now)
  const { flowDays, auditDays, inboxDays, keyDays } = settings.retention
  await run(pool, retentionSql, [flowDays, auditDays, inboxDays, keyDays])
  const rows = await run<{ partition_name: string; dropped: boolean; kept_because: string | null }>(pool, dropSql, [
    now,
  ])
  return {
    made,
    dropped: rows.filter(({ dropped }) => dropped).map((row) => row.partition_name),
    kept: rows
      .filter(({ dropped }) => !dropped)
      .map((row) => ({ partition: row.partition_name, because: row.kept_because ?? '' })),
  }
}
