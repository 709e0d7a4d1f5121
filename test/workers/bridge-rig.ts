/** Bridges on a real broker and a real database, with topics of their own. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CompressionTypes, type IHeaders, Kafka, logLevel, type Message, Partitioners, type Producer } from 'kafkajs'
import { pino } from 'pino'
import { parseBridgeTopic } from '../../src/domain/bridge-topics.ts'
import type { BridgeOutcome } from '../../src/domain/parked.ts'
import { createValueDecoder, type ValueDecoder } from '../../src/platform/decode-value.ts'
import { type Bridge, type BridgeDeps, type BridgeFailure, startBridge } from '../../src/workers/bridge.ts'
import { makeTopic } from '../support/make-topic.ts'
import type { World } from '../support/world.ts'

/**
 * Reads JSON, and gives every request another idempotency key each time it is read: a message that was landed twice is two
 * intents then, and shows.
 */
export function keyless(): ValueDecoder {
  const decoder = createValueDecoder(undefined)
  return {
    prepare: (values) => decoder.prepare(values),
    decode(value) {
      const decoded = decoder.decode(value)
      if (decoded.ok) (decoded.value as Record<string, unknown>).idempotencyKey = randomUUID()
      return decoded
    },
  }
}

export interface Watched {
  bridge: Bridge
  outcomes: Map<BridgeOutcome, number>
  failed: BridgeFailure[]
  lag: Map<string, number>
}

export interface Rig {
  prefix: string
  groupId: string
  kafka: Kafka
  producer: Producer
  topic(name: string, partitions?: number): Promise<string>
  start(rules: string[], over?: Partial<BridgeDeps>, decoder?: ValueDecoder): Watched
  send(topic: string, messages: Message[], compression?: CompressionTypes): Promise<void>
  parked(): Promise<
    { reason: string; detail: string; topic: string; partition: number; offset: string; value: Buffer | null }[]
  >
  intents(): Promise<number>
  close(): Promise<void>
}

export async function createRig(world: World, brokers: string[]): Promise<Rig> {
  const prefix = `b${randomUUID().slice(0, 8)}.`
  const groupId = `${prefix}bridge`
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 10 } })
  const admin = kafka.admin()
  await admin.connect()
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  await producer.connect()
  const started: Bridge[] = []
  return {
    prefix,
    groupId,
    kafka,
    producer,
    async topic(name, partitions = 1) {
      const topic = prefix + name
      await makeTopic(admin, { topic, numPartitions: partitions })
      return topic
    },
    start(rules, over = {}, decoder = createValueDecoder(undefined)) {
      const outcomes = new Map<BridgeOutcome, number>()
      const failed: BridgeFailure[] = []
      const lag = new Map<string, number>()
      const bridge = startBridge({
        pool: world.worker,
        ids: world.ids,
        clock: world.clock,
        keyTtlMs: 86_400_000,
        chunkSize: 500,
        kafka: { brokers, clientId: 'bridge-test', ssl: false, compression: 'none', logger: pino({ level: 'silent' }) },
        groupId,
        rules: rules.map((text) => parseBridgeTopic(text.replaceAll('$', prefix))!),
        judge: { decoder, maxBytes: 4 * 1024 * 1024, maxHeaders: 500 },
        startAt: 'earliest',
        backlog: { ageMs: () => 0, mostMs: 1_000 },
        concurrency: 3,
        ring: () => {},
        metrics: {
          messages: (_, outcome, count) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count),
          lag: (topic, messages) => lag.set(topic, messages),
          failed: (reason) => failed.push(reason),
        },
        logger: pino({ level: process.env.BRIDGE_LOG ?? 'silent' }),
        lookEveryMs: 1_000,
        sessionTimeoutMs: 6_000,
        ...over,
      })
      started.push(bridge)
      return { bridge, outcomes, failed, lag }
    },
    async send(topic, messages, compression = CompressionTypes.None) {
      await producer.send({ topic, messages, compression })
    },
    parked: () =>
      world.rows(
        'select reason, detail, topic, partition, "offset", value from carillon.parked_messages where starts_with(topic, $1) order by topic, partition, "offset"',
        [prefix],
      ),
    async intents() {
      const [row] = await world.rows<{ count: number }>(
        `select count(*)::int as count from carillon.intents where source = 'kafka'`,
      )
      return row!.count
    },
    async close() {
      await Promise.all(started.map((bridge) => bridge.stop()))
      await Promise.race([Promise.all([producer.disconnect(), admin.disconnect()]), sleep(2_000)])
    },
  }
}

/** A request that is valid, as JSON. */
export function request(tenant: string, key: string | undefined, fields: object = {}): string {
  return JSON.stringify({
    tenant_id: tenant,
    idempotencyKey: key,
    type: 'commerce.order.shipped',
    recipient: { email: 'ann@example.com' },
    channels: ['EMAIL'],
    subject: 'On its way',
    body: 'Your order has left us.',
    ...fields,
  })
}

export const cloudEvent = (tenant: string, id: string, over: IHeaders = {}): IHeaders => ({
  ce_specversion: '1.0',
  ce_id: id,
  ce_source: '/orders',
  ce_type: 'commerce.order.placed',
  ce_time: '2026-11-20T12:00:00Z',
  ce_tenantid: tenant,
  'content-type': 'application/json',
  ...over,
})
