import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSmtpServer } from '../channels/support/fake-smtp-server.ts'
import { testDatabase } from '../support/database.ts'
import { runCarillon } from './support/carillon-process.ts'

interface Found {
  ok: boolean
  checks: { name: string; verdict: string; detail: string; remedy?: string }[]
}

async function examine(
  env: Record<string, string>,
): Promise<Found & { code: number | null; of(name: string): Found['checks'][number] }> {
  const { code, out, err } = await runCarillon(['doctor', '--json'], env)
  assert.notEqual(out, '', err)
  const found: Found = JSON.parse(out)
  return { ...found, code, of: (name) => found.checks.find((check) => check.name === name)! }
}

test('a good set-up has no failure, and exit code 0', async () => {
  const database = await testDatabase()
  const found = await examine({ DATABASE_URL: database.url, NODE_ENV: 'production' })
  assert.equal(found.code, 0)
  assert.equal(found.ok, true)
  for (const name of [
    'settings',
    'database',
    'version',
    'clock',
    'roles',
    'migrations',
    'partitions',
    'queue',
    'stuck jobs',
    'dead letters',
  ]) {
    assert.equal(found.of(name).verdict, 'ok', name)
  }
  assert.equal(found.of('kafka').verdict, 'off')
  assert.match(found.of('mail').remedy ?? '', /SMTP_URL/)
})

test('every fault in the settings is a line of its own', async () => {
  const found = await examine({ PORT: 'x', RETRY_JITTER: '9' })
  assert.equal(found.code, 1)
  assert.deepEqual(
    found.checks.map(({ name, verdict }) => [name, verdict]),
    [
      ['settings', 'fail'],
      ['settings', 'fail'],
    ],
  )
})

test('a database that does not answer fails, and says what to do', async () => {
  const found = await examine({ DATABASE_URL: 'postgres://carillon:hush@127.0.0.1:1/carillon' })
  assert.equal(found.code, 1)
  assert.equal(found.of('database').verdict, 'fail')
  assert.match(found.of('database').remedy ?? '', /DATABASE_URL/)
  assert.doesNotMatch(JSON.stringify(found), /hush/)
})

test('a database without our schema fails on the migrations alone', async () => {
  const database = await testDatabase()
  await database.pool().query('drop schema carillon cascade')
  const found = await examine({ DATABASE_URL: database.url })
  assert.equal(found.code, 1)
  assert.equal(found.of('database').verdict, 'ok')
  assert.equal(found.of('migrations').verdict, 'fail')
  assert.match(found.of('migrations').remedy ?? '', /carillon migrate/)
})

test('partitions that run out, stuck jobs, dead letters and silent workers are found', async () => {
  const database = await testDatabase()
  const pool = database.pool()
  await pool.query(`
    do $$ declare part text; begin
      for part in with p as materialized (select partition_name, day from carillon.partitions)
                  select partition_name from p where day > (now() at time zone 'UTC')::date loop
        execute format('drop table carillon.%I', part);
      end loop;
    end $$`)
  await pool.query(`
    insert into pgboss.job (name, data) values ('stuck', '{}');
    insert into pgboss.job (name, data, state, started_on, heartbeat_seconds, heartbeat_on)
      values ('intents-bulk', '{}', 'active', now(), 15, now() - interval '5 minutes');
    insert into carillon.dead_letters (tenant_id, delivery_id, channel, reason, attempts, created_at)
      values (gen_random_uuid(), gen_random_uuid(), 'email', 'permanent', 1, now())`)
  const found = await examine({ DATABASE_URL: database.url })
  assert.equal(found.code, 1)
  assert.equal(found.of('partitions').verdict, 'fail')
  assert.match(found.of('partitions').remedy ?? '', /carillon maintain/)
  assert.equal(found.of('stuck jobs').verdict, 'fail')
  assert.equal(found.of('dead letters').verdict, 'warn')
  assert.equal(found.of('queue').verdict, 'warn')
  const mended = await runCarillon(['maintain'], { DATABASE_URL: database.url })
  assert.equal(mended.code, 0)
  assert.equal((await examine({ DATABASE_URL: database.url })).of('partitions').verdict, 'ok')
})

test('a mail server that lets us in is ok; one that refuses the password, or is not there, fails', async () => {
  const database = await testDatabase()
  await using server = await startSmtpServer({})
  const url = `smtp://bell:ding@127.0.0.1:${server.port}?requireTLS=false`
  const good = await examine({ DATABASE_URL: database.url, SMTP_URL: url })
  assert.equal(good.of('mail').verdict, 'ok', good.of('mail').detail)
  await using strict = await startSmtpServer({ auth: '535 5.7.8 no' })
  const refused = await examine({
    DATABASE_URL: database.url,
    SMTP_URL: url.replace(`${server.port}`, `${strict.port}`),
  })
  assert.equal(refused.of('mail').verdict, 'fail')
  assert.match(refused.of('mail').remedy ?? '', /password/)
  const bad = await examine({ DATABASE_URL: database.url, SMTP_URL: 'smtp://user:hush@127.0.0.1:1' })
  assert.equal(bad.of('mail').verdict, 'fail')
  assert.doesNotMatch(JSON.stringify(bad), /hush/)
})

test('brokers that do not answer fail', async () => {
  const database = await testDatabase()
  const found = await examine({ DATABASE_URL: database.url, KAFKA_BROKERS: '127.0.0.1:1' })
  assert.equal(found.code, 1)
  assert.equal(found.of('kafka').verdict, 'fail')
})
