import type pg from 'pg'
import { msPerTick, readProcesses, treeOf } from './process-usage.ts'
import { tenths } from './statistics.ts'

export const parts = ['service', 'postgres', 'kafka', 'generator', 'sink'] as const
export type Part = (typeof parts)[number]

/** What one notification cost. */
export interface Costs {
  notifications: number
  /** Processor time by process, in microseconds; parts that are not of this machine, or not known, are missing. */
  cpuMicros: Partial<Record<Part | 'all', number>>
  walBytes: number
  /** Transactions that ended, the reading and the polling ones too. Postgres counts them up to a second late. */
  commits: number
}

export interface Meter {
  /** What everything since the start of the meter has cost, by notification. */
  read(notifications: number): Promise<Costs>
}

interface DatabaseMeter extends pg.QueryResultRow {
  wal: string
  commits: string
}

const databaseSql = `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') as wal, xact_commit as commits
  from pg_stat_database where datname = current_database()`

/** `roles` says which of our child processes is what; Postgres and Kafka are known by their names. */
export async function startMeter(client: pg.Client, roles: ReadonlyMap<number, Part>): Promise<Meter> {
  const readDatabase = async () => (await client.query<DatabaseMeter>(databaseSql)).rows[0]!
  const before = { database: await readDatabase(), cpu: readCpu(roles) }
  return {
    async read(notifications) {
      const after = { cpu: readCpu(roles), database: await readDatabase() }
      const each = (most: number | string, least: number | string) =>
        (Number(most) - Number(least)) / Math.max(1, notifications)
      const cpuMicros: Costs['cpuMicros'] = {}
      for (const [part, ticks] of after.cpu) {
        if (ticks === before.cpu.get(part)) continue // it had nothing to do
        const micros = each(ticks, before.cpu.get(part) ?? 0) * msPerTick * 1_000
        cpuMicros[part] = tenths(micros)
        cpuMicros.all = tenths((cpuMicros.all ?? 0) + micros)
      }
      return {
        notifications,
        cpuMicros,
        walBytes: Math.round(each(after.database.wal, before.database.wal)),
        commits: Math.round(each(after.database.commits, before.database.commits) * 1_000) / 1_000,
      }
    },
  }
}

const partOf: Record<string, Part> = { postgres: 'postgres', java: 'kafka' }

function readCpu(roles: ReadonlyMap<number, Part>): Map<Part, number> {
  const parts = new Map<Part, number>()
  for (const { pid, name, ticks } of treeOf(readProcesses(), process.pid)) {
    const part = roles.get(pid) ?? partOf[name]
    if (part) parts.set(part, (parts.get(part) ?? 0) + ticks)
  }
  return parts
}
