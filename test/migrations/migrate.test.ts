import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import pg from 'pg'
import { openPool } from '../../src/platform/db.ts'
import { migrate } from '../../src/store/migrate.ts'
import { checkReadiness } from '../../src/store/readiness.ts'
import { testDatabase } from '../support/database.ts'
import { describeSchema } from '../support/describe-schema.ts'

/** An empty database beside the template's copies. */
async function emptyDatabase(): Promise<{ url: string; pool: pg.Pool; drop(): Promise<void> }> {
  const beside = await testDatabase()
  const name = `${beside.name}_empty`
  const admin = beside.pool()
  await admin.query(`create database ${name}`)
  const url = new URL(beside.url)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href, max: 4 })
  pool.on('error', () => {}) // a session that the drop below ends
  return {
    url: url.href,
    pool,
    async drop() {
      await pool.end()
      await admin.query(`drop database ${name} with (force)`)
    },
  }
}

test('the migrations make what sql/schema.sql says', async () => {
  const empty = await emptyDatabase()
  try {
    await migrate({ databaseUrl: empty.url })
    const committed = readFileSync(new URL('../../sql/schema.sql', import.meta.url), 'utf8')
    assert.equal(await describeSchema(empty.pool), committed, 'run npm run schema and look at the difference')
  } finally {
    await empty.drop()
  }
})

test('twenty processes that migrate one database at once all succeed, and each migration is applied once', async () => {
  const empty = await emptyDatabase()
  try {
    const results = await Promise.all(Array.from({ length: 20 }, () => migrate({ databaseUrl: empty.url })))
    const shipped = readdirSync(new URL('../../migrations', import.meta.url)).map((file) => file.replace('.ts', ''))
    assert.deepEqual(results.flatMap(({ applied }) => applied).sort(), shipped.sort())
    assert.equal(
      new Set(results.flatMap(({ partitions }) => partitions)).size,
      results.flatMap(({ partitions }) => partitions).length,
    )
    assert.deepEqual((await migrate({ databaseUrl: empty.url })).applied, [])
  } finally {
    await empty.drop()
  }
})

test('a database that was not migrated is not ready, and says what to do', async () => {
  const empty = await emptyDatabase()
  try {
    const before = await checkReadiness(empty.pool)
    assert.equal(before.ok, false)
    assert.match(JSON.stringify(before.checks), /carillon migrate/)
    await migrate({ databaseUrl: empty.url })
    const api = openPool({
      databaseUrl: empty.url,
      role: 'carillon_api',
      max: 1,
      applicationName: 'test',
      onError: () => {},
    })
    assert.equal((await checkReadiness(api)).ok, true)
    await api.end()
  } finally {
    await empty.drop()
  }
})

test('a migration that waits for a lock gives up soon and leaves the database as it was', async () => {
  const empty = await emptyDatabase()
  try {
    await migrate({ databaseUrl: empty.url })
    const blocker = await empty.pool.connect()
    await blocker.query('begin; lock table carillon.migrations in access exclusive mode')
    await assert.rejects(migrate({ databaseUrl: empty.url, lockTimeoutMs: 200 }))
    await blocker.query('rollback')
    blocker.release()
    assert.deepEqual((await migrate({ databaseUrl: empty.url })).applied, [])
  } finally {
    await empty.drop()
  }
})
