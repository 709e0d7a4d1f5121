import { promises as fs, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { FileMigrationProvider, Migrator } from 'kysely/migration'
import { systemClock } from '../platform/clock.ts'
import { kyselyOn, openPool } from '../platform/db.ts'
import { installQueues } from '../queue/boss.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface MigrateOptions {
  databaseUrl: string
  partitionsAheadDays?: number
  now?: Date
  /** How long a migration may wait for a lock before it gives up and leaves everything as it was. Default 10 s. */
  lockTimeoutMs?: number
  onStep?: (step: string) => void
}

/** What a migration did: the migrations applied now, and the partitions made. */
export interface MigrateResult {
  applied: string[]
  partitions: string[]
}

/**
 * Brings a database to the state of this release: migrations, pg-boss and its queues, the repeatable objects of
 * sql/api and sql/reporting, and the partitions ahead. Safe to run again, and by any number of processes at once: one
 * works, the others wait and find it done. Throws what Postgres says, with the name of the failed migration.
 */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const step = options.onStep ?? (() => {})
  const faults: Error[] = []
  const pool = openPool({
    databaseUrl: options.databaseUrl,
    max: 4,
    lockTimeoutMs: options.lockTimeoutMs ?? 10_000,
    applicationName: 'carillon-migrate',
    onError: (error) => faults.push(error),
  })
  const gate = await pool.connect()
  try {
    await gate.query('set lock_timeout = 0') // the twentieth of twenty waits for nineteen
    await gate.query(`select pg_advisory_lock(hashtextextended('carillon.migrate', 0))`)
    await gate.query(`set client_min_messages = warning`)
    const db = kyselyOn<unknown>(pool)
    await gate.query('create schema if not exists carillon')
    const migrator = new Migrator({
      db,
      provider: new FileMigrationProvider({ fs, path, migrationFolder: path.join(root, 'migrations') }),
      migrationTableSchema: 'carillon',
      migrationTableName: 'migrations',
      migrationLockTableName: 'migrations_lock',
    })
    const { error, results } = await migrator.migrateToLatest()
    const failed = results?.find((result) => result.status === 'Error')
    if (error) throw failed ? new Error(`migration ${failed.migrationName} failed`, { cause: error }) : error
    const applied = (results ?? []).map((result) => result.migrationName)
    for (const name of applied) step(`applied ${name}`)

    await installQueues(pool)
    step('queues ready')
    for (const folder of ['api', 'reporting']) {
      for (const file of readdirSync(path.join(root, 'sql', folder)).sort()) {
        if (file.endsWith('.sql')) await pool.query(readFileSync(path.join(root, 'sql', folder, file), 'utf8'))
      }
    }
    await pool.query(`grant select on carillon.migrations to carillon_api, carillon_worker;
      grant usage on schema pgboss to carillon_worker, carillon_api;
      grant select on pgboss.queue, pgboss.job to carillon_api;
      grant select, insert, update, delete on all tables in schema pgboss to carillon_worker;
      grant execute on all functions in schema pgboss to carillon_worker`)
    const made = await pool.query<{ name: string }>({
      text: 'select carillon.ensure_partitions($1, $2) as name',
      values: [options.now ?? systemClock.now(), options.partitionsAheadDays ?? 7],
    })
    if (made.rows.length > 0) step(`${made.rows.length} partitions made`)
    return { applied, partitions: made.rows.map((row) => row.name) }
  } finally {
    gate.release(true)
    await pool.end()
  }
}
