import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { startSmtpServer } from '../channels/support/fake-smtp-server.ts'
import { testDatabase } from '../support/database.ts'
import { startKafka } from '../support/kafka-broker.ts'
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

test('of a secured broker it tells release, TLS, login and topics, and what is wrong with each', async () => {
  const database = await testDatabase()
  const broker = await startKafka({ secured: true })
  try {
    const { ca, otherCa, listeners, scram } = broker.secure!
    const env = {
      DATABASE_URL: database.url,
      KAFKA_BROKERS: listeners.saslTls,
      KAFKA_SSL: 'true',
      KAFKA_SSL_CA: ca,
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_SASL_USERNAME: scram.username,
      KAFKA_SASL_PASSWORD: scram.password,
    }
    const good = await examine(env)
    assert.equal(good.code, 0)
    assert.match(good.of('kafka').detail, /answers: Kafka 4\.3, TLSv1\.3, its certificate ends on \d{4}-/)
    assert.equal(good.of('kafka').verdict, 'warn') // in two days
    assert.match(good.of('kafka login').detail, /^SASL SCRAM-SHA-512 lets us in$/)
    assert.match(good.of('kafka topics').detail, /^0 of \d+ are there/)

    const admin = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const configEntries = [{ name: 'cleanup.policy', value: 'compact' }]
    await admin.createTopics({ topics: [{ topic: 'notification.dlq', numPartitions: 6, configEntries }] })
    await admin.disconnect()
    const compacted = (await examine(env)).checks.filter(({ name }) => name === 'kafka topics')
    assert.deepEqual(
      compacted.map(({ verdict }) => verdict),
      ['ok', 'warn'],
    )
    assert.match(compacted[1]!.detail, /notification\.dlq: cleanup\.policy is compact/)

    const stranger = await examine({ ...env, KAFKA_SSL_CA: otherCa })
    assert.match(stranger.of('kafka').detail, /refuses us .*certificate/)
    assert.equal(stranger.of('kafka').verdict, 'fail')
    const wrong = await examine({ ...env, KAFKA_SASL_PASSWORD: 'hush' })
    assert.match(wrong.of('kafka login').detail, /SCRAM-SHA-512 refuses us/)
    assert.doesNotMatch(JSON.stringify(wrong), /hush/)
    const plain = await examine({ ...env, KAFKA_SSL: 'false', KAFKA_SSL_CA: '' })
    assert.match(plain.of('kafka').detail, /it may want TLS/)
    const oneOfTwo = await examine({ ...env, KAFKA_BROKERS: `localhost:1,${listeners.saslTls}` })
    assert.equal(oneOfTwo.of('kafka').verdict, 'warn')
    assert.equal(oneOfTwo.of('kafka login').verdict, 'ok')
  } finally {
    await broker.stop()
  }
})
