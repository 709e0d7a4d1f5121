import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { pino } from 'pino'
import { moveCursor, openCursor } from '../../src/pipeline/stream/feed-cursor.ts'
import { createFeedEncoder } from '../../src/pipeline/stream/feed-encoder.ts'
import { readPeriod } from '../../src/pipeline/stream/read-period.ts'
import { createKafkaPublisher } from '../../src/platform/kafka/publisher.ts'
import { appendEvents, newNotification, newTenant } from '../pipeline/stream/append-events.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startKafka } from '../support/kafka-broker.ts'
import { runCarillon, spawnCarillon } from './support/carillon-process.ts'

const database = await testDatabase()
const owner = database.pool()
const kafka = await startKafka()
const topicPrefix = `c${randomUUID().slice(0, 8)}.`
const env = {
  DATABASE_URL: database.url,
  KAFKA_BROKERS: kafka.brokers.join(','),
  KAFKA_TOPIC_PREFIX: topicPrefix,
}
const encoder = createFeedEncoder({ topicPrefix })
const publisher = createKafkaPublisher({
  brokers: kafka.brokers,
  clientId: 'feed-test',
  ssl: false,
  compression: 'gzip',
  logger: pino({ level: 'silent' }),
})
after(async () => {
  await publisher.disconnect()
  await kafka.stop()
})

/** Ten events, of which the third is not in Kafka. */
before(async () => {
  await publisher.ensureTopics(encoder.topics, { partitions: 2, replication: 1 })
  const tenantId = newTenant()
  const data = { recipient_id: 'alice', reason: 'broken\u001b[2J' }
  await appendEvents(
    owner,
    Array.from({ length: 10 }, () => ({ tenantId, subjectId: newNotification(), data })),
  )
  const events = await eventually(async () => {
    const period = { from: new Date(Date.now() - 600_000), to: new Date(Date.now() + 60_000) }
    for await (const page of readPeriod(owner, period)) if (page.length === 10) return page
    throw new Error('not all are below the horizon yet')
  })
  const from = await openCursor(owner, 'kafka', new Date())
  await moveCursor(owner, 'kafka', from, events.at(-1)!, new Date())
  await publisher.publish((await encoder.encode(events)).toSpliced(2, 1))
})

const feed = (...words: string[]) => runCarillon(['feed', ...words], env)

test('verify tells in a table and in JSON what is wrong, and ends with 1', async () => {
  const { code, out } = await feed('verify')
  assert.equal(code, 1)
  assert.match(out, /^in Kafka +9$/m)
  assert.match(out, /^missing +1$/m)
  assert.match(out, /^missing {2}[0-9a-f-]{36} {2}notification\.email\.sent {2}\S+notification\.email\/[01]$/m)
  const report = JSON.parse((await feed('verify', '--json', '--from', '2h', '--wait')).out)
  assert.deepEqual([report.ok, report.events, report.missing, report.findings.length], [false, 10, 1, 1])
})

test('verify of a time in which nothing happened ends with 0', async () => {
  const { code, out } = await feed('verify', '--from', '3h', '--to', '2h')
  assert.equal(code, 0)
  assert.match(out, /The feed is what the log says/)
})

test('replay counts, publishes nothing where nobody can be asked, and publishes with --yes', async () => {
  const period = ['--from', '1h', '--to', '0s']
  assert.match((await feed('replay', ...period, '--dry-run')).out, /^10 events would be published/m)
  const unasked = await feed('replay', ...period)
  assert.equal(unasked.code, 1)
  assert.match(unasked.err, /say --yes/)
  const { code, out } = await feed('replay', ...period, '--yes', '--json')
  assert.equal(code, 0)
  const { replayId, published, complete } = JSON.parse(out)
  assert.deepEqual([published, complete], [10, true])
  const again = await feed('replay', ...period, '--yes', '--json', '--replay-id', replayId)
  assert.equal(JSON.parse(again.out).published, 0)
})

test('tail shows a line an event, lets nothing steer the terminal, and a signal ends it with 0', async () => {
  const tail = spawnCarillon(['feed', 'tail', '--since', '1h', '--type', '*.email.*'], env)
  await eventually(() => assert.ok(tail.out().split('\n').length > 9), { timeoutMs: 20_000 })
  tail.kill('SIGINT')
  const { code, out } = await tail.ended
  assert.equal(code, 0)
  assert.match(out, /^\d\d:\d\d:\d\d\.\d{3} {2}notification\.email\.sent +[0-9a-f-]{36} {2}alice broken\?\[2J/m)
})

const faults: [what: string, words: string[], over: Record<string, string>, code: number, said: RegExp][] = [
  ['no brokers are set', ['verify'], { KAFKA_BROKERS: '' }, 78, /KAFKA_BROKERS is not set/],
  ['there is no such topic', ['tail', '--topic', 'nope'], {}, 1, /no topic nope: it has /],
  ['a period ends before it begins', ['verify', '--from', '1h', '--to', '2h'], {}, 1, /--from must be before --to/],
  ['a time is none', ['replay', '--from', 'noon', '--to', '0s'], {}, 1, /It must be a time/],
]
for (const [what, words, over, code, said] of faults) {
  test(`it says so when ${what}`, async () => {
    const ended = await runCarillon(['feed', ...words], { ...env, ...over })
    assert.equal(ended.code, code)
    assert.match(ended.err, said)
  })
}

test('erase forgets a person’s key, whether there was one or not, and names a tenant that is not there', async () => {
  const tenantId = newTenant()
  const unknown = await feed('erase', '--tenant', tenantId, '--recipient', 'alice')
  assert.equal(unknown.code, 1)
  assert.match(unknown.err, /there is no tenant/)
  await owner.query(`insert into carillon.tenants (id, name, created_at) values ($1, 't', now())`, [tenantId])
  assert.equal((await feed('erase', '--tenant', tenantId, '--recipient', 'alice')).code, 0)
  const text = 'select key_id, erased_at is not null as erased from carillon.subject_keys where tenant_id = $1'
  assert.deepEqual((await owner.query(text, [tenantId])).rows, [{ key_id: null, erased: true }])
})
