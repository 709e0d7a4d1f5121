import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CompressionTypes } from 'kafkajs'
import { eventually } from '../support/eventually.ts'
import { startKafka } from '../support/kafka-broker.ts'
import { createWorld } from '../support/world.ts'
import { createRig, type Rig, request } from '../workers/bridge-rig.ts'
import { endLeftovers, runCarillon } from './support/carillon-process.ts'

const world = await createWorld()
const kafka = await startKafka()
after(() => kafka.stop())
after(endLeftovers)
let rig: Rig
let topic: string
before(async () => {
  rig = await createRig(world, kafka.brokers)
  topic = await rig.topic('requests')
})
after(() => rig.close())

const parked = async (args: string[], topics = `${topic}=request`) =>
  runCarillon(['bridge', 'parked', ...args], {
    DATABASE_URL: world.url,
    NODE_ENV: 'production',
    KAFKA_BROKERS: kafka.brokers.join(),
    BRIDGE_TOPICS: topics,
  })

test('a bridge needs brokers', async () => {
  const { code, err } = await runCarillon(['bridge'], { DATABASE_URL: world.url, NODE_ENV: 'production' })
  assert.equal(code, 78)
  assert.match(err, /needs KAFKA_BROKERS/)
})

test('what is parked is shown, replayed once when its cause is gone, and dropped', async () => {
  const later = world.ids.id()
  await rig.send(
    topic,
    [{ value: request(later, 'k1') }, { value: request(later, 'k2') }, { value: 'nothing' }],
    CompressionTypes.None,
  )
  const watched = rig.start(['$requests=request'])
  await eventually(
    () =>
      assert.equal(
        [...watched.outcomes.values()].reduce((sum, count) => sum + count, 0),
        3,
      ),
    { timeoutMs: 30_000 },
  )

  const listed = JSON.parse((await parked(['list', '--json'])).out) as { id: string; reason: string; offset: string }[]
  assert.deepEqual(listed.map(({ reason, offset }) => `${offset} ${reason}`).sort(), [
    '0 unknown_tenant',
    '1 unknown_tenant',
    '2 undecodable',
  ])
  const garbage = listed.find(({ reason }) => reason === 'undecodable')!
  assert.match((await parked(['show', garbage.id])).out, /nothing\n$/)

  assert.match((await parked(['replay', '--all'])).out, /^0 accepted, 0 known already, 3 still parked/)
  await world.admin.query('insert into carillon.tenants (id, name, created_at) values ($1, $2, now())', [later, 'late'])
  const both = await Promise.all([parked(['replay', '--all', '--json']), parked(['replay', '--all', '--json'])])
  const reports = both.map(({ out }) => JSON.parse(out) as { accepted: number; duplicate: number; stillParked: number })
  assert.deepEqual(reports.map(({ accepted }) => accepted).sort(), [0, 2])
  assert.deepEqual(
    reports.map(({ duplicate }) => duplicate),
    [0, 0],
  )
  assert.equal(await rig.intents(), 2)
  const [marks] = await world.rows(
    'select count(replayed_at)::int as replayed, count(*)::int as all from carillon.parked_messages',
  )
  assert.deepEqual(marks, { replayed: 2, all: 3 })

  assert.notEqual((await parked(['drop'])).code, 0)
  assert.match((await parked(['drop', '--reason', 'undecodable'])).out, /^1 dropped/)
  assert.match((await parked([])).out, /no message is parked/)
})
