import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { testDatabase } from '../support/database.ts'
import { endLeftovers, runCarillon, startCarillon } from './support/carillon-process.ts'

const database = await testDatabase()
const bare = await testDatabase()
await bare.pool().query('drop schema carillon cascade; drop schema pgboss cascade')
const dataDir = await mkdtemp(join(tmpdir(), 'carillon-production-'))
const env = { NODE_ENV: 'production', CARILLON_DATA_DIR: dataDir, PORT: '0' }

after(async () => {
  await endLeftovers()
  await rm(dataDir, { recursive: true, force: true })
})

test('without DATABASE_URL it does not start', async () => {
  const { code, err } = await runCarillon(['start'], env)
  assert.equal(code, 78)
  assert.match(err, /DATABASE_URL: is required/)
})

test('it never migrates by itself, and says what to run', async () => {
  const { code, err } = await runCarillon(['start'], { ...env, DATABASE_URL: bare.url })
  assert.equal(code, 75)
  assert.match(err, /^carillon: the database is not ready for this release \(.*\): run "carillon migrate"\n$/)
  const { rows } = await bare.pool().query(`select to_regnamespace('carillon') as schema`)
  assert.deepEqual(rows, [{ schema: null }])
})

test('on a database that is ready it serves, without a demo, and SIGTERM ends it cleanly', async () => {
  const service = await startCarillon({ ...env, DATABASE_URL: database.url })
  assert.equal((await fetch(`${service.url}/health/ready`)).status, 200)
  assert.equal((await fetch(`${service.url}/dev/mailbox`)).status, 404)
  const { rows } = await database.pool('carillon_worker').query('select name from carillon.tenants')
  assert.deepEqual(rows, [])
  assert.deepEqual(await readdir(dataDir), [])
  service.kill('SIGTERM')
  const { code, out } = await service.ended
  assert.equal(code, 0)
  assert.match(out, /^ready http/m)
})

for (const role of ['worker', 'relay']) {
  test(`a ${role} by itself serves health and no API, and ends cleanly`, async () => {
    const service = await startCarillon({ ...env, DATABASE_URL: database.url }, ['--role', role])
    assert.equal((await fetch(`${service.url}/health/ready`)).status, 200)
    assert.equal((await fetch(`${service.url}/graphql?query={__typename}`)).status, 404)
    service.kill('SIGTERM')
    assert.equal((await service.ended).code, 0)
  })
}
