import { readFileSync } from 'node:fs'
import pg from 'pg'

/** What a statement runs on: a pool, or a client inside a transaction. */
export interface Queryable {
  query<Row extends pg.QueryResultRow>(config: pg.QueryConfig): Promise<pg.QueryResult<Row>>
}

export type Role = 'carillon_api' | 'carillon_worker'

export interface PoolOptions {
  databaseUrl: string
  /** The role that every connection takes on at once; absent: the login's own rights (migrations). */
  role?: Role
  max: number
  /** For statements that join a set that was passed in with a table's rows: see flowSettings. */
  flow?: boolean
  applicationName: string
  statementTimeoutMs?: number
  lockTimeoutMs?: number
  /** After how long between two statements of a transaction it is ended; by default a minute. */
  idleInTransactionMs?: number
  onError: (error: Error) => void
}

/** A host that vanishes in the middle of a transaction gives up its locks within a minute, not when TCP gives up. */
const vanishing = (idleInTransactionMs = 60_000) =>
  [
    'tcp_keepalives_idle=15',
    'tcp_keepalives_interval=5',
    'tcp_keepalives_count=3',
    `idle_in_transaction_session_timeout=${idleInTransactionMs}`,
  ].flatMap((setting) => ['-c', setting])

/**
 * On a partition without statistics the planner takes either side of a join for one row, and would compare each with each.
 * And it would plan anew for each set of parameters, which costs more than a small set's work.
 */
const flowSettings = ['-c', 'enable_nestloop=off', '-c', 'plan_cache_mode=force_generic_plan']

/** Opens a pool whose connections act in one role. `onError` hears of idle connections that died. */
export function openPool(options: PoolOptions): pg.Pool {
  const settings = ['-c', 'timezone=UTC', '-c', 'jit=off', ...vanishing(options.idleInTransactionMs)]
  if (options.flow) settings.push(...flowSettings)
  if (options.role) settings.push('-c', `role=${options.role}`)
  if (options.statementTimeoutMs) settings.push('-c', `statement_timeout=${options.statementTimeoutMs}`)
  if (options.lockTimeoutMs) settings.push('-c', `lock_timeout=${options.lockTimeoutMs}`)
  const pool = new pg.Pool({
    connectionString: options.databaseUrl,
    max: options.max,
    application_name: options.applicationName,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    options: settings.join(' '),
  })
  pool.on('error', options.onError)
  // A connection can die at any moment, also in the turn in which it is handed out: the running or the next statement rejects.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** Runs `work` in one transaction on one connection. The connection is dropped if even the rollback fails. */
export async function inTransaction<T>(pool: pg.Pool, work: (trx: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((fault: Error) => {
      broken = fault
    })
    throw error
  } finally {
    client.release(broken)
  }
}

/** A transaction of the API that sees the given tenants only; Postgres enforces it. */
export function asTenants<T>(
  pool: pg.Pool,
  tenantIds: readonly string[],
  work: (trx: pg.PoolClient) => Promise<T>,
): Promise<T> {
  return inTransaction(pool, async (trx) => {
    await trx.query({
      name: 'act_for_tenants',
      text: `select set_config('carillon.tenant_id', $1, true)`,
      values: [tenantIds.join(',')],
    })
    return work(trx)
  })
}

/** The same for what only reads: Postgres refuses whatever would write. */
export function readAsTenants<T>(
  pool: pg.Pool,
  tenantIds: readonly string[],
  work: (trx: pg.PoolClient) => Promise<T>,
): Promise<T> {
  return asTenants(pool, tenantIds, async (trx) => {
    await trx.query('set transaction read only')
    return work(trx)
  })
}

/** A statement of sql/, prepared once a connection under its file's name. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/**
 * Whether a fault passes by itself: Postgres is away, overloaded, stopping, or somebody was in the way (SQLSTATE classes 08,
 * 40, 53, 55, 57, 58, and the codes of the network), or we slept in the middle of a transaction (25P03).
 */
export function isPassingFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  if (/^(08|40|53|55|57|58)[0-9A-Z]{3}$|^25P03$/.test(code) || /^E[A-Z_]{3,}$/.test(code)) return true
  return /timeout exceeded when trying to connect|Connection terminated|Client has encountered/.test(error.message)
}

/** Whether the connection is gone, so that nobody can say whether what it did last was done. */
export function isLostConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  if (/^(08[0-9A-Z]{3}|57P0[0-9])$|^E[A-Z_]{3,}$/.test(code)) return true
  return /Connection terminated|Client has encountered/.test(error.message)
}

/** Loads `sql/<path>.sql`; call it at module load, so that a missing file fails at start. */
export function statement(path: string): Statement {
  return {
    name: path,
    text: readFileSync(new URL(`../../sql/${path}.sql`, import.meta.url), 'utf8'),
  }
}

/** Runs a statement of sql/ with its parameters and gives its rows. */
export async function run<Row extends pg.QueryResultRow>(
  on: Queryable,
  { name, text }: Statement,
  values: unknown[],
): Promise<Row[]> {
  const result = await on.query<Row>({ name, text, values })
  return result.rows
}
