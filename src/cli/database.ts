import type pg from 'pg'
import { type Config, readConfig } from '../config/config.ts'
import { openPool, type Role } from '../platform/db.ts'
import { readDatabaseFacts } from '../store/doctor.ts'
import { checkReadiness } from '../store/readiness.ts'
import { readDevFile } from './client/dev-file.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export const supportedVersions = { least: 15, most: 18 }

/** The database of DATABASE_URL, or in development that of a running `carillon start`. Throws where there is neither. */
export async function findDatabase(config: Config): Promise<string> {
  if (config.DATABASE_URL) return config.DATABASE_URL
  const dev = await readDevFile(config.CARILLON_DATA_DIR)
  if (dev) return dev.databaseUrl
  throw new CommandError(
    'NO_DATABASE',
    `there is no database: set DATABASE_URL, or run "carillon start", which brings one (looked for ${config.CARILLON_DATA_DIR}/dev.json)`,
    exitCodes.config,
  )
}

/** Opens a small pool for the length of one command. Without a role it has the login's own rights. */
export async function withPool<T>(
  databaseUrl: string,
  role: Role | undefined,
  work: (pool: pg.Pool) => Promise<T>,
): Promise<T> {
  const pool = openPool({ databaseUrl, role, max: 2, applicationName: 'carillon-cli', onError: () => {} })
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}

/** Makes sure that a database of ours is at hand, and says in one line what is missing. Throws CommandError. */
export async function requireMigrated(databaseUrl: string): Promise<void> {
  const facts = await withPool(databaseUrl, undefined, readDatabaseFacts)
  const major = Math.trunc(facts.versionNumber / 10_000)
  if (major < supportedVersions.least) {
    throw new CommandError(
      'DATABASE_VERSION',
      `the database is Postgres ${major}, and Carillon needs ${supportedVersions.least} to ${supportedVersions.most}`,
      exitCodes.config,
    )
  }
  const detail = facts.hasRoles ? await missingIn(databaseUrl) : 'it holds nothing of Carillon'
  if (detail) {
    throw new CommandError(
      'NOT_MIGRATED',
      `the database is not ready for this release (${detail}): run "carillon migrate"`,
      exitCodes.temporary,
    )
  }
}

async function missingIn(databaseUrl: string): Promise<string | undefined> {
  const readiness = await withPool(databaseUrl, 'carillon_worker', checkReadiness)
  const failed = Object.entries(readiness.checks).find(([, check]) => !check.ok)
  return failed && `${failed[0]}: ${failed[1].detail?.replace(/: run carillon migrate$/, '') ?? 'missing'}`
}

/** A pool that acts for every tenant, on a database that is ready for it. */
export async function withWorkerPool<T>(work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  return withPool(await readyDatabase(), 'carillon_worker', work)
}

/** A pool whose transactions act for the tenants that they name, as those of the API. */
export async function withApiPool<T>(work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  return withPool(await readyDatabase(), 'carillon_api', work)
}

async function readyDatabase(): Promise<string> {
  const databaseUrl = await findDatabase(readConfig())
  await requireMigrated(databaseUrl)
  return databaseUrl
}
