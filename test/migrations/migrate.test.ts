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

test('an owner that is no superuser migrates, and its connections can take the roles on', async () => {
  const beside = await testDatabase()
  const admin = beside.pool()
  const owner = `owner_${beside.name.slice(-12)}`
  const name = `${beside.name}_owned`
  await admin.query(`create role ${owner} login createrole password 'x'`)
  try {
    // The roles of this cluster are another's already: whoever runs it hands them on.
    for (const role of ['carillon_api', 'carillon_worker', 'carillon_analyst', 'carillon_caller']) {
      await admin.query(`grant ${role} to ${owner} with admin option`)
    }
    await admin.query(`create database ${name} owner ${owner}`)
    const url = new URL(beside.url)
    url.pathname = `/${name}`
    url.username = owner
    url.password = 'x'
    await migrate({ databaseUrl: url.href })
    for (const role of ['carillon_api', 'carillon_worker'] as const) {
      const pool = openPool({ databaseUrl: url.href, role, max: 1, applicationName: 'test', onError: () => {} })
      assert.equal((await checkReadiness(pool)).ok, true)
      await pool.end()
    }
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.query(`drop role ${owner}`)
  }
})

test('a function of an earlier release with another signature goes, and named calls stay clear', async () => {
  const empty = await emptyDatabase()
  try {
    await migrate({ databaseUrl: empty.url })
    await empty.pool.query(
      `create function carillon.notify(type text, recipient jsonb) returns uuid language sql as 'select null::uuid'`,
    )
    await migrate({ databaseUrl: empty.url })
    const { rows } = await empty.pool.query(
      `select 1 from pg_proc where pronamespace = 'carillon'::regnamespace and proname = 'notify'`,
    )
    assert.equal(rows.length, 1)
  } finally {
    await empty.drop()
  }
})
