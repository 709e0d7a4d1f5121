import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isPassingFault, openPool } from '../../src/platform/db.ts'
import { testDatabase } from '../support/database.ts'

test('a connection that dies while nobody listens ends its statement, and not the process', async () => {
  const database = await testDatabase()
  const pool = openPool({ databaseUrl: database.url, max: 1, applicationName: 'db-test', onError: () => {} })
  try {
    const client = await pool.connect()
    const ended = new Promise<void>((resolve) => client.once('end', resolve))
    await database
      .pool()
      .query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'db-test'`)
    await ended
    const fault = await client.query('select 1').then(
      () => undefined,
      (error: unknown) => error,
    )
    client.release()
    assert.ok(isPassingFault(fault), String(fault))
    assert.deepEqual((await pool.query('select 1 as one')).rows, [{ one: 1 }])
  } finally {
    await pool.end()
  }
})
