/** A database of its own for each test file, copied from a template on the one server that all files share. */
import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

export interface TestDatabase {
  url: string
  name: string
  /** A pool that `drop` ends. With a role, each of its connections has `set role` to it. */
  pool(role?: string): pg.Pool
  /** Ends the pools and drops the database. Called by itself after the last test of the file. */
  drop(): Promise<void>
}

interface Server {
  url: string
  template: string
}

let server: Promise<Server> | undefined

/** Call it at the top of a test file or in a `before`. */
export async function testDatabase(): Promise<TestDatabase> {
  server ??= findServer()
  const { url: serverUrl, template } = await server
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await asAdmin(serverUrl, `create database ${name} template ${template}`)
  const url = databaseUrl(serverUrl, name)
  const pools: pg.Pool[] = []
  let dropped: Promise<void> | undefined
  const drop = async () => {
    await Promise.all(pools.filter((pool) => !pool.ended).map((pool) => pool.end()))
    await asAdmin(serverUrl, `drop database if exists ${name} with (force)`)
  }
  const database: TestDatabase = {
    url,
    name,
    pool: (role) => {
      const options = role ? `-c role=${role}` : undefined
      const pool = new pg.Pool({ connectionString: url, max: 20, options })
      pool.on('error', () => {}) // an idle session that a test killed on purpose
      pools.push(pool)
      return pool
    },
    drop: () => {
      dropped ??= drop()
      return dropped
    },
  }
  dropLater.push(database)
  return database
}

const dropLater: TestDatabase[] = []
let stopServer = async () => {}
after(async () => {
  for (const database of dropLater) await database.drop()
  await stopServer()
})

/** The server of the whole run, or, for one file run by hand, one that this process starts and keeps in `.cache/`. */
async function findServer(): Promise<Server> {
  const { TEST_POSTGRES_URL: url, TEST_TEMPLATE: template } = process.env
  if (url) return { url, template: template ?? (await makeTemplate(url)) }
  const started = await startTestPostgres(fileURLToPath(new URL('../../.cache/test-postgres', import.meta.url)))
  stopServer = started.stop
  return { url: started.url, template: await makeTemplate(started.url) }
}

/** Its data is worth nothing after the run, so it does not wait for the disk. */
export async function startTestPostgres(dataDir: string, onNotice?: (notice: string) => void) {
  const { startEmbeddedPostgres } = await import('../../src/platform/embedded-postgres.ts')
  const settings = { fsync: 'off', full_page_writes: 'off', max_connections: 300 }
  const server = await startEmbeddedPostgres({ dataDir, settings, onNotice })
  // What an interrupted run left behind goes. Only here, where the server is ours alone.
  const left = await asAdmin(
    server.url,
    "select datname from pg_database where datname ~ '^(test|template)_[0-9a-f]{32}$'",
  )
  for (const { datname } of left) await asAdmin(server.url, `drop database if exists ${datname} with (force)`)
  return server
}

/** A database with every migration run, made anew. */
export async function makeTemplate(serverUrl: string): Promise<string> {
  const template = `template_${randomUUID().replaceAll('-', '')}`
  await asAdmin(serverUrl, `create database ${template}`)
  const { migrate } = await import('../../src/store/migrate.ts')
  await migrate({ databaseUrl: databaseUrl(serverUrl, template) })
  return template
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

async function asAdmin(serverUrl: string, text: string) {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}
