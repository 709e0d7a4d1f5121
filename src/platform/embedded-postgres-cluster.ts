/** The files of an embedded cluster: made once, whole or not at all, and checked before each start. */
import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { chown, link, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  findPostgresBinaries,
  findServerUser,
  type PostgresBinaries,
  type ServerUser,
} from './embedded-postgres-host.ts'
import { OperationalError } from './errors.ts'

export const superuser = 'postgres'

export interface Cluster {
  pgdata: string
  passwordFile: string
  portFile: string
  logFile: string
  binaries: PostgresBinaries
  user: ServerUser
  password: string
  notice: (notice: string) => void
}

/** Everything a start needs to know. Throws where the folder, its version or the machine will not do. */
export async function openCluster(options: { dataDir: string; onNotice?: (notice: string) => void }): Promise<Cluster> {
  await mkdir(options.dataDir, { recursive: true }).catch((error) => {
    throw failed(`${options.dataDir} cannot be made (${errorCode(error)})`, error)
  })
  const dataDir = await realpath(options.dataDir)
  const pgdata = join(dataDir, 'postgres')
  const notice = options.onNotice ?? (() => {})
  const binaries = await findPostgresBinaries()
  const found = await dataMajor(pgdata)
  if (found && found !== binaries.major) {
    throw new OperationalError(
      'EMBEDDED_POSTGRES_VERSION',
      `${pgdata} was made by Postgres ${found}, and this Carillon brings Postgres ${binaries.major}: dump it with the Carillon that made it, move the folder away, start again and restore the dump`,
    )
  }
  const user = await findServerUser({ dataDir, pgdata, binaries, notice })
  const passwordFile = join(dataDir, 'postgres.password')
  const password = await readOrMakePassword(passwordFile, user)
  const files = {
    pgdata,
    passwordFile,
    portFile: join(dataDir, 'postgres.port'),
    logFile: join(dataDir, 'postgres.log'),
  }
  return { ...files, binaries, user, password, notice }
}

/** The major version that made this cluster; undefined where there is none yet. */
export async function dataMajor(pgdata: string): Promise<string | undefined> {
  try {
    return (await readFile(join(pgdata, 'PG_VERSION'), 'utf8')).trim()
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw failed(`${pgdata} cannot be read (${errorCode(error)}): it belongs to another user of this machine`, error)
  }
}

/** Linked into place when whole, so that two who start at once read the same password. */
async function readOrMakePassword(passwordFile: string, user: ServerUser): Promise<string> {
  const draft = `${passwordFile}.${randomUUID()}`
  try {
    await writeFile(draft, randomBytes(24).toString('base64url'), { mode: 0o600 })
    if (user.uid !== undefined) await chown(draft, user.uid, user.gid)
    await link(draft, passwordFile).catch((error) => {
      if (errorCode(error) !== 'EEXIST') throw error
    })
    return await readFile(passwordFile, 'utf8')
  } catch (error) {
    throw failed(`${passwordFile} cannot be written or read (${errorCode(error)})`, error)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Made under another name and renamed when whole: an initdb cut short leaves nothing that looks like a cluster. */
export async function initialise({ pgdata, passwordFile, binaries, user, notice }: Cluster) {
  notice(`making a new Postgres ${binaries.major} cluster in ${pgdata}`)
  const draft = `${pgdata}.draft-${randomUUID()}`
  await mkdir(draft, { mode: 0o700 })
  if (user.uid !== undefined) await chown(draft, user.uid, user.gid)
  const args = ['-D', draft, '-U', superuser, `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8']
  args.push('--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions')
  try {
    const [command, rest, spawnOptions] = user.command(binaries.initdb, args)
    await promisify(execFile)(command, rest, spawnOptions)
    await rename(draft, pgdata)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (['ENOTEMPTY', 'EEXIST'].includes(errorCode(error))) return // another process was first: endOrphan will see it
    throw failed(
      `initdb could not make ${pgdata}: ${lastLines((error as { stderr?: string }).stderr ?? `${error}`)}`,
      error,
    )
  }
}

export const lastLines = (text: string, count = 5) =>
  text.trim().split('\n').slice(-count).join(' | ') || 'it said nothing'
const errorCode = (error: unknown) => String((error as NodeJS.ErrnoException | undefined)?.code ?? '')
export const failed = (message: string, cause?: unknown) =>
  new OperationalError('EMBEDDED_POSTGRES_FAILED', message, { cause })
export const inUse = (pgdata: string) =>
  new OperationalError(
    'EMBEDDED_POSTGRES_IN_USE',
    `${pgdata} is in use by another Carillon that is running: stop that one, or give this one its own data directory`,
  )
