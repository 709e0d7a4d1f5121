import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres.ts'
import { migrate } from '../../src/store/migrate.ts'
import { startKafka, type TestKafka } from '../support/kafka-broker.ts'
import { parentOf } from './process-usage.ts'

export interface DatabaseServer {
  kind: 'embedded' | 'given'
  version: string
  settings: Record<string, string>
  /** A new database; `migrated` is one of ours, `empty` is for the peers. */
  fresh(kind: 'migrated' | 'empty'): Promise<{ url: string; name: string; drop(): Promise<void> }>
  /** As the superuser or owner, in a database that no scenario uses. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>
  stop(): Promise<void>
}

const settingsThatMatter = [
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'autovacuum',
]

/** The Postgres that everything is measured on: of our own in a folder that goes with it, or the one that is given. */
export async function openDatabaseServer(
  given: string | undefined,
  onNotice: (line: string) => void,
): Promise<DatabaseServer> {
  const own = given === undefined ? await startOwn(onNotice) : undefined
  const url = given ?? own!.url
  const admin = new pg.Client({ connectionString: url, application_name: 'bench' })
  admin.on('error', () => {}) // the next query tells of it
  const stop = async () => {
    await admin.end().catch(() => {}) // a connection that is down is closed enough
    await own?.stop()
  }
  try {
    await admin.connect()
    const { rows } = await admin.query<{ version: string; settings: Record<string, string> }>(
      `select current_setting('server_version') as version,
              (select json_object_agg(s, current_setting(s)) from unnest($1::text[]) as s) as settings`,
      [settingsThatMatter],
    )
    let made = 0
    let template: Promise<string> | undefined
    async function makeTemplate(): Promise<string> {
      const name = `carillon_bench_${process.pid}_template`
      await admin.query(`create database ${name}`)
      await migrate({ databaseUrl: withDatabase(url, name) })
      await untilUnused(admin, name)
      return name
    }
    return {
      kind: own ? 'embedded' : 'given',
      ...rows[0]!,
      async fresh(kind) {
        const name = `carillon_bench_${process.pid}_${++made}`
        if (kind === 'migrated') template ??= makeTemplate()
        await admin.query(`create database ${name} ${kind === 'migrated' ? `template ${await template}` : ''}`)
        await admin.query('checkpoint') // nobody pays for what the one before has left
        return { name, url: withDatabase(url, name), drop: () => drop(admin, name) }
      },
      query: async (text, values) => (await admin.query(text, values)).rows,
      async stop() {
        const name = await template?.catch(() => undefined) // told to whoever asked for it
        if (name) await drop(admin, name)
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startOwn(onNotice: (line: string) => void): Promise<{ url: string; stop(): Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'carillon-bench-'))
  try {
    const server = await startEmbeddedPostgres({ dataDir, onNotice })
    return {
      url: server.url,
      async stop() {
        await server.stop()
        await rm(dataDir, { recursive: true, force: true })
      },
    }
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true })
    throw error
  }
}

async function drop(admin: pg.Client, name: string): Promise<void> {
  await untilUnused(admin, name)
  await admin.query(`drop database if exists ${name} with (force)`)
}

/** A pool's end() does not wait for the server: a connection that is killed while it goes would raise an error. */
async function untilUnused(admin: pg.Client, name: string): Promise<void> {
  for (let turn = 0; turn < 100; turn++) {
    const { rows } = await admin.query('select exists (select from pg_stat_activity where datname = $1)', [name])
    if (!rows[0].exists) break
    await sleep(50)
  }
}

/** Whose children all the server's processes are; undefined where it is not ours to look at. */
export async function postmasterOf(server: DatabaseServer): Promise<number | undefined> {
  if (server.kind !== 'embedded') return undefined
  const [row] = await server.query<{ pid: number }>('select pg_backend_pid() as pid')
  return parentOf(row!.pid)
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}

/** The broker is started when a scenario wants it; stop it after, so that the others do not share the machine with it. */
export function openBroker(onNotice: (line: string) => void): {
  kafka(): Promise<TestKafka>
  kind(): string | undefined
  stop(): Promise<void>
} {
  let starting: Promise<TestKafka> | undefined
  let kind: string | undefined
  return {
    kafka() {
      starting ??= startKafka({ onNotice })
      void starting.then(
        (kafka) => {
          kind = kafka.kind
        },
        () => {}, // told to whoever awaits it
      )
      return starting
    },
    kind: () => kind,
    async stop() {
      const kafka = await starting?.catch(() => undefined) // it never ran: nothing to stop
      starting = undefined
      await kafka?.stop()
    },
  }
}
