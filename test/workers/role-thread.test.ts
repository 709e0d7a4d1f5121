import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { afterEach, test } from 'node:test'
import { readConfig } from '../../src/config/config.ts'
import { statusEventsTopic } from '../../src/platform/wake.ts'
import type { Relay } from '../../src/workers/relay.ts'
import { type RoleThreadOptions, startRoleThread } from '../../src/workers/role-thread.ts'
import { appendEvents, newNotification, newTenant } from '../pipeline/stream/append-events.ts'
import { testDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { startKafka } from '../support/kafka-broker.ts'
import { createWorld } from '../support/world.ts'
import { createRig, request } from './bridge-rig.ts'

type RelayOptions = RoleThreadOptions<'relay'>

const relays: Relay[] = []
afterEach(() => Promise.all(relays.splice(0).map((relay) => relay.stop())))

function watched(over: Partial<RelayOptions> & Pick<RelayOptions, 'data'>) {
  const told = { published: 0, failed: [] as string[], errors: [] as string[], rung: [] as string[] }
  let ring = () => {}
  const relay = startRoleThread('relay', {
    metrics: {
      published: (events) => {
        told.published += events
      },
      failed: (reason) => told.failed.push(reason),
    },
    wake: {
      on(_topic, listener) {
        ring = listener
        return () => {}
      },
      ring: (topic) => told.rung.push(topic),
    },
    logger: { error: (detail: { err: Error }) => void told.errors.push(detail.err.message) } as never,
    ...over,
  })
  relays.push(relay)
  return { relay, told, ring: () => ring() }
}

const stub = (stop: 'end' | 'ignore', over: Partial<RelayOptions> = {}) =>
  watched({
    data: { lives: new SharedArrayBuffer(4), stop } as never,
    entry: new URL('role-thread-stub.ts', import.meta.url),
    restartMs: 1,
    ...over,
  })

test('a thread tells its state; one that dies is off, is started again, and goes on', async () => {
  const { relay, told, ring } = stub('end')
  assert.equal(relay.state(), 'standby')
  await eventually(() => assert.equal(relay.state(), 'leading'))
  ring()
  await eventually(() => assert.deepEqual(told.errors, ['the first life ends here']))
  await eventually(() => {
    ring() // what the dying thread hears of it is lost, as in life
    assert.equal(told.failed[0], 'fenced')
  })
  assert.ok(told.published > 0)
  assert.equal(told.rung[0], 'after status_events')
  assert.equal(relay.state(), 'leading')
  await relay.stop()
  assert.equal(relay.state(), 'off')
})

test('a stop between a death and the new start is done at once, and nothing starts any more', async () => {
  const { relay, told, ring } = stub('end', { restartMs: 60_000 })
  await eventually(() => assert.equal(relay.state(), 'leading'))
  ring()
  await eventually(() => assert.equal(relay.state(), 'off'))
  await relay.stop()
  assert.equal(told.errors.length, 1)
  assert.equal(relay.state(), 'off')
})

test('a thread that does not heed a stop is cut off when the patience is over', async () => {
  const { relay } = stub('ignore', { stopPatienceMs: 20 })
  await eventually(() => assert.equal(relay.state(), 'leading'))
  await relay.stop()
  assert.equal(relay.state(), 'off')
})

test('the bridge in its thread lands what is asked for, tells of it, and wakes the workers', async () => {
  const world = await createWorld()
  const kafka = await startKafka()
  const rig = await createRig(world, kafka.brokers)
  const topic = await rig.topic('requests')
  await rig.send(topic, [{ value: request(world.tenant, 'a') }, { value: 'nonsense' }])
  const config = readConfig({
    DATABASE_URL: world.url,
    KAFKA_BROKERS: kafka.brokers.join(','),
    BRIDGE_TOPICS: `${topic}=request`,
    BRIDGE_GROUP: rig.groupId,
    BRIDGE_START: 'earliest',
    LOG_LEVEL: 'fatal',
  })
  const told = { outcomes: [] as string[], rung: new Set<string>() }
  const bridge = startRoleThread('bridge', {
    data: { config, databaseUrl: world.url },
    metrics: {
      messages: (of, outcome, count) => told.outcomes.push(`${of} ${outcome} ${count}`),
      lag: () => {},
      failed: () => {},
    },
    wake: { on: () => () => {}, ring: (of) => told.rung.add(of) },
    logger: { error: () => {} },
  })
  try {
    assert.equal(bridge.state(), 'connecting')
    await eventually(
      () => assert.deepEqual(told.outcomes.toSorted(), [`${topic} accepted 1`, `${topic} undecodable 1`]),
      { timeoutMs: 30_000 },
    )
    assert.equal(bridge.state(), 'consuming')
    await eventually(() => assert.ok(told.rung.has(statusEventsTopic) && told.rung.size > 1))
  } finally {
    await bridge.stop()
    await rig.close()
    await kafka.stop()
  }
  assert.equal(bridge.state(), 'off')
})

test('the relay in its thread publishes what is in the log, and ends by itself', async () => {
  const database = await testDatabase()
  const kafka = await startKafka()
  const config = readConfig({
    DATABASE_URL: database.url,
    KAFKA_BROKERS: kafka.brokers.join(','),
    KAFKA_TOPIC_PREFIX: `t${randomUUID().slice(0, 8)}.`,
    LOG_LEVEL: 'fatal',
  })
  const { relay, told } = watched({ data: { config, databaseUrl: database.url } })
  try {
    await appendEvents(database.pool(), [{ tenantId: newTenant(), subjectId: newNotification() }])
    await eventually(() => assert.equal(told.published, 1, told.errors.join()), { timeoutMs: 30_000 })
    assert.equal(relay.state(), 'leading')
  } finally {
    await relay.stop()
    await kafka.stop()
  }
  assert.equal(relay.state(), 'off')
  assert.deepEqual(told.errors, [])
})
