/**
 * Our own Postgres, for a machine that has none: real binaries, real files, the server settings below.
 *
 * Who owns a data directory is said by Postgres itself: the owner holds an advisory lock in a session for as long as
 * it lives. A killed owner loses the lock with its socket, whatever way it died, so a server without that lock is an
 * orphan, and is shut down cleanly before we start our own.
 */
import { execFile, spawn } from 'node:child_process'
import { open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import {
  type Cluster,
  dataMajor,
  failed,
  initialise,
  inUse,
  lastLines,
  openCluster,
  superuser,
} from './embedded-postgres-cluster.ts'
import { isAlive, readPidFile, servesFrom } from './embedded-postgres-host.ts'
import { OperationalError } from './errors.ts'

export interface EmbeddedPostgresOptions {
  /** Everything lives below: `postgres/` the cluster, and beside it its password, its last port and its log. */
  dataDir: string
  /** TCP port on 127.0.0.1. Without it the last one is used again, or else a free one. */
  port?: number
  /** Server settings laid over the defaults of this file. */
  settings?: Record<string, string | number | boolean>
  /** Hears what a person who waits wants to know, one line each. */
  onNotice?: (notice: string) => void
}

export interface EmbeddedPostgres {
  /** For the superuser, to the database `carillon`. Contains the password: never log it. */
  url: string
  port: number
  /** Fast shutdown: open transactions are rolled back, everything committed is kept. Safe to call twice. */
  stop(): Promise<void>
  /** Called once if the server ends without `stop()`. Called at once if that is already so. */
  onExit(callback: (error: OperationalError) => void): void
}

const database = 'carillon'
const ownerLock = 7_310_579 // any number, the same for ever: advisory lock in the database `postgres`
const readyTimeoutMs = 600_000 // crash recovery may have max_wal_size to read
const stopTimeoutMs = 30_000
const dyingMs = 5_000
const logLimitBytes = 10_000_000

/** fsync and synchronous_commit stay on: what we acknowledged survives a power cut. The bundled build has no lz4. */
const defaultSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 100,
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log may name a table or a constraint, but no value of a row.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
}

/** Start the server on its data directory, made if absent. Throws `EMBEDDED_POSTGRES_{VERSION,IN_USE,FAILED}`. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const cluster = await openCluster(options)
  if (!(await dataMajor(cluster.pgdata))) await initialise(cluster)
  await endOrphan(cluster)

  const remembered = Number(await readFile(cluster.portFile, 'utf8').catch(() => '0'))
  for (const wanted of options.port ? [options.port] : [remembered, 0, 0, 0]) {
    const port = wanted || (await freePort())
    const launched = await launch(cluster, port, options.settings)
    if (launched !== 'port taken') {
      await writeFile(cluster.portFile, `${port}`)
      return await supervise(cluster, port, launched)
    }
  }
  throw new OperationalError(
    'EMBEDDED_POSTGRES_IN_USE',
    `port ${options.port ?? remembered} on 127.0.0.1 is taken by another program; give the embedded Postgres another one`,
  )
}

/** A server that runs without an owner is shut down; one that has its owner is none of our business. */
async function endOrphan(cluster: Cluster) {
  let seen = await readPidFile(cluster.pgdata)
  if (!seen || !isAlive(seen.pid)) return // Postgres clears a dead server's pid file itself
  if (!(await servesFrom(seen.pid, cluster.pgdata))) {
    // The number was given to another program since. Postgres would refuse to start for it.
    await rm(join(cluster.pgdata, 'postmaster.pid'), { force: true })
    return
  }
  const { pid } = seen
  await until(async () => {
    seen = await readPidFile(cluster.pgdata)
    return !isAlive(pid) || seen?.status === 'ready'
  }, readyTimeoutMs)
  await sleep(500) // an owner that is just starting takes its lock within milliseconds of "ready"; let it
  if (!isAlive(pid) || !seen) return
  const session = await openOwnerSession(cluster, seen.port).catch(async (error) => {
    if (await until(() => !isAlive(pid), dyingMs)) return 'gone' as const // it was killed as well, and was still ending
    throw failed(`a Postgres that another process left behind (pid ${pid}) does not let us in: ${error.message}`, error)
  })
  if (session === 'gone') return
  if (session === 'owned') throw inUse(cluster.pgdata)
  cluster.notice(`shutting down the Postgres that a killed process left behind (pid ${pid})`)
  await session.end()
  await signal(cluster, pid, 'INT')
  if (!(await until(() => !isAlive(pid), stopTimeoutMs)))
    throw failed(`an orphaned Postgres (pid ${pid}) does not stop`)
}

async function launch(cluster: Cluster, port: number, settings: EmbeddedPostgresOptions['settings']) {
  const log = await open(cluster.logFile, 'a', 0o600)
  if ((await log.stat()).size > logLimitBytes) await truncate(cluster.logFile)
  const logStart = (await log.stat()).size
  const flags = Object.entries({ ...defaultSettings, ...settings }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const [command, args, spawnOptions] = cluster.user.command(cluster.binaries.postgres, [
    '-D',
    cluster.pgdata,
    '-p',
    `${port}`,
    ...flags,
  ])
  // A session of its own, so that Ctrl-C reaches us alone and we can finish our work before the database goes; a log
  // file and not a pipe, so that an orphan's log does not break with us.
  const child = spawn(command, args, { ...spawnOptions, detached: true, stdio: ['ignore', log.fd, log.fd] })
  const exited = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message))
    child.once('exit', (code, name) => done(`exit ${code ?? name}`))
  })
  await log.close()
  const readLog = async () => (await readFile(cluster.logFile)).subarray(logStart).toString('utf8')
  const server = { child, exited, readLog }

  let over: string | undefined
  void exited.then((how) => {
    over = how
  })
  const waitingSince = performance.now()
  let noticedAt = waitingSince
  const ready = await until(async () => {
    if (performance.now() - noticedAt > 10_000) {
      noticedAt = performance.now()
      cluster.notice(
        `Postgres is still getting ready after ${Math.round((noticedAt - waitingSince) / 1000)} s: ${lastLines(await readLog(), 1)}`,
      )
    }
    const seen = await readPidFile(cluster.pgdata)
    return over !== undefined || (seen?.pid === child.pid && seen?.status === 'ready')
  }, readyTimeoutMs)
  if (over === undefined && ready) return server
  if (over === undefined) child.kill('SIGQUIT')
  const text = await readLog()
  if (/could not bind|could not create any TCP/.test(text)) return 'port taken'
  // Empty: another server is between making the file and writing its number into it.
  if (/lock file "postmaster.pid" (already exists|is empty)/.test(text)) throw inUse(cluster.pgdata)
  throw failed(`Postgres did not start (${over ?? 'no answer'}): ${lastLines(text)}`)
}

type Launched = Exclude<Awaited<ReturnType<typeof launch>>, 'port taken'>

async function supervise(
  cluster: Cluster,
  port: number,
  { child, exited, readLog }: Launched,
): Promise<EmbeddedPostgres> {
  let stopping = false
  let session: pg.Client | undefined
  const callbacks: ((error: OperationalError) => void)[] = []
  let death: OperationalError | undefined
  const endWithUs = () => child.kill('SIGINT') // process.exit and uncaught exceptions; a kill -9 is endOrphan's
  process.once('exit', endWithUs)
  const gone = exited.then(async (how) => {
    process.off('exit', endWithUs)
    if (stopping) return
    death = failed(`Postgres ended by itself (${how}): ${lastLines(await readLog().catch(() => ''))}`)
    for (const callback of callbacks) callback(death)
  })

  const own = async () => {
    const opened = await openOwnerSession(cluster, port)
    if (opened === 'owned') throw inUse(cluster.pgdata)
    session = opened
    // A crashed backend makes Postgres drop every session; the lock must come back before anyone misses it.
    opened.once('end', async () => {
      while (
        !stopping &&
        !death &&
        (await own().then(
          () => false,
          () => true,
        ))
      )
        await sleep(100)
    })
  }
  const stop = async () => {
    if (!stopping) {
      stopping = true
      await session?.end().catch(() => {})
      if (child.pid && child.exitCode === null && child.signalCode === null) await signal(cluster, child.pid, 'INT')
    }
    const late = setTimeout(() => child.kill('SIGQUIT'), stopTimeoutMs)
    await gone
    clearTimeout(late)
  }
  try {
    await own()
    const { rowCount } = await session!.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) await session!.query(`create database ${database}`)
  } catch (error) {
    await stop()
    throw error instanceof OperationalError
      ? error
      : failed(`Postgres started, but refuses us: ${(error as Error).message}`, error)
  }
  return {
    url: `postgres://${superuser}:${encodeURIComponent(cluster.password)}@127.0.0.1:${port}/${database}`,
    port,
    stop,
    onExit: (callback) => void (death ? callback(death) : callbacks.push(callback)),
  }
}

/** A session that holds the owner's lock, or `owned` when another process holds it. */
async function openOwnerSession({ password }: Cluster, port: number): Promise<pg.Client | 'owned'> {
  const connection = { host: '127.0.0.1', port, user: superuser, password, database: 'postgres', ssl: false }
  const client = new pg.Client({ ...connection, application_name: 'carillon owner', connectionTimeoutMillis: 10_000 })
  client.on('error', () => {}) // 'end' follows, and is where it is handled
  await client.connect()
  const { rows } = await client.query('select pg_try_advisory_lock($1) as owned_by_us', [ownerLock])
  if (rows[0].owned_by_us) return client
  await client.end()
  return 'owned'
}

async function signal({ binaries, user }: Cluster, pid: number, name: 'INT') {
  if (process.platform !== 'win32') return void process.kill(pid, `SIG${name}`)
  const [command, args, options] = user.command(binaries.pgCtl, ['kill', name, `${pid}`])
  await promisify(execFile)(command, args, options)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening, refused) => server.once('error', refused).listen(0, '127.0.0.1', listening))
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  return typeof address === 'object' && address ? address.port : 0
}

async function until(done: () => boolean | Promise<boolean>, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (performance.now() < deadline) {
    if (await done()) return true
    await sleep(20)
  }
  return false
}
