import { promises as fs, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kysely, PostgresDialect } from 'kysely'
import { FileMigrationProvider, Migrator } from 'kysely/migration'
import type pg from 'pg'
import { systemClock } from '../platform/clock.ts'
import { inTransaction, openPool } from '../platform/db.ts'
import { installQueues } from '../queue/boss.ts'
import { ensurePartitions } from './partitions.ts'

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
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
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
    await replaceRepeatables(pool)
    await pool.query(`revoke execute on all functions in schema carillon from public;
      grant select on carillon.migrations to carillon_api, carillon_worker;
      grant usage on schema pgboss to carillon_worker, carillon_api;
      grant select on pgboss.queue, pgboss.job to carillon_api;
      grant select, insert, update, delete on all tables in schema pgboss to carillon_worker;
      grant execute on all functions in schema pgboss to carillon_worker`)
    const partitions = await ensurePartitions(pool, options.partitionsAheadDays ?? 7, options.now ?? systemClock.now())
    if (partitions.length > 0) step(`${partitions.length} partitions made`)
    return { applied, partitions }
  } finally {
    gate.release(true)
    await pool.end()
  }
}

/**
 * Makes the functions and views of sql/api and sql/reporting anew, in one transaction: callers see the old ones or the new
 * ones. What has the name of one of them goes first, or a changed signature would leave the old overload beside the new.
 */
async function replaceRepeatables(pool: pg.Pool): Promise<void> {
  const texts = ['api', 'reporting'].flatMap((folder) =>
    readdirSync(path.join(root, 'sql', folder))
      .filter((file) => file.endsWith('.sql'))
      .sort()
      .map((file) => readFileSync(path.join(root, 'sql', folder, file), 'utf8')),
  )
  const named = (kind: string) =>
    texts.flatMap((text) =>
      [...text.matchAll(new RegExp(`create or replace ${kind} carillon\\.(\\w+)`, 'g'))].map((match) => match[1]!),
    )
  await inTransaction(pool, async (trx) => {
    for (const view of named('view').reverse()) await trx.query(`drop view if exists carillon.${view}`)
    const { rows } = await trx.query<{ signature: string }>(
      `select oid::regprocedure::text as signature from pg_proc
       where pronamespace = 'carillon'::regnamespace and proname = any ($1::text[])`,
      [named('function')],
    )
    for (const { signature } of rows) await trx.query(`drop function ${signature}`)
    for (const text of texts) await trx.query(text)
  })
}
