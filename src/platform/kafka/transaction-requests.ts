import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'

interface Encoder {
  writeInt32(value: number): Encoder
  writeBoolean(value: boolean): Encoder
  writeUVarIntString(text: string): Encoder
  writeUVarIntArray(items: Encoder[] | null): Encoder
  /** Without bytes: an empty set of tagged fields. */
  writeUVarIntBytes(): Encoder
}

interface Decoder {
  readInt16(): number
  readInt32(): number
  readInt64(): { toString(): string }
  readUVarIntString(): string | null
  readUVarIntArray<T>(read: (decoder: Decoder) => T): T[] | null
  readTaggedFields(): unknown
}

interface OffsetFetch {
  groupId: string
  topics: { topic: string; partitions: { partition: number }[] }[]
}

interface Definitions {
  versions: string[]
  protocol(on: { version: number }): (request: OffsetFetch) => { request: unknown; response: unknown }
}

type BrokerMethod = (this: unknown, request: unknown) => Promise<unknown>

interface Cluster {
  findBroker(on: { nodeId: number }): Promise<{ nodeId: number }>
  findGroupCoordinator(on: { groupId: string; coordinatorType?: number }): Promise<{ nodeId: number }>
}

/** The version that can be asked for stable offsets alone; kafkajs knows them up to the fourth. Brokers since 2.5 have it. */
const stableVersion = 7
const knownVersion = 4
const concurrentPatienceMs = 15_000

let installed = false

/**
 * What kafkajs 2.2.4 lacks for transactions:
 * - a group's offsets are asked for in a version that waits for those of a transaction that has been decided and not yet
 *   been told everywhere. Without it a broker before 4.0 may answer with the offset before the last transaction, and what
 *   that one published would be published again;
 * - whoever begins a transaction or takes one over while the brokers still write the end of the one before is told
 *   CONCURRENT_TRANSACTIONS. The wait is some milliseconds; kafkajs tries again after a tenth of a second, or does not
 *   (tulios/kafkajs#430, #1315);
 * - a transaction's coordinator is asked for before each of its requests, which doubles what a small one costs. Here it is asked
 *   for once in a producer's life. When it moves, the producer fails, and the next one asks again.
 */
export function installTransactionRequests(): void {
  const require = createRequire(import.meta.url)
  if (installed || require('kafkajs/package.json').version !== '2.2.4') return
  installed = true
  installStableOffsets(require)
  installLastingCoordinator(require('kafkajs/src/cluster'))
  const broker: { prototype: Record<string, BrokerMethod> } = require('kafkajs/src/broker')
  for (const method of ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn']) {
    broker.prototype[method] = patiently(broker.prototype[method]!)
  }
}

const ofTransactions = 1

function installLastingCoordinator({ prototype }: { prototype: Cluster }): void {
  const coordinators = new WeakMap<Cluster, number>()
  const find = prototype.findGroupCoordinator
  prototype.findGroupCoordinator = async function (this: Cluster, on) {
    if (on.coordinatorType !== ofTransactions) return find.call(this, on)
    const known = coordinators.get(this)
    if (known !== undefined) return this.findBroker({ nodeId: known })
    const broker = await find.call(this, on)
    coordinators.set(this, broker.nodeId)
    return broker
  }
}

function patiently(call: BrokerMethod): BrokerMethod {
  return async function (this: unknown, request) {
    const giveUpAt = performance.now() + concurrentPatienceMs
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
      try {
        return await call.call(this, request)
      } catch (error) {
        const { type } = error as { type?: string }
        if (type !== 'CONCURRENT_TRANSACTIONS' || performance.now() + pauseMs > giveUpAt) throw error
      }
      await sleep(pauseMs)
    }
  }
}

/** Source: https://kafka.apache.org/protocol#The_Messages_OffsetFetch */
function installStableOffsets(require: NodeJS.Require): void {
  const KafkaEncoder: new () => Encoder = require('kafkajs/src/protocol/encoder')
  const KafkaDecoder: new (bytes: Buffer) => Decoder = require('kafkajs/src/protocol/decoder')
  const { parse } = require('kafkajs/src/protocol/requests/offsetFetch/v4/response')
  const definitions: Definitions = require('kafkajs/src/protocol/requests/offsetFetch')
  const known = definitions.protocol

  const encodeTopic = ({ topic, partitions }: OffsetFetch['topics'][number]) =>
    new KafkaEncoder()
      .writeUVarIntString(topic)
      .writeUVarIntArray(partitions.map(({ partition }) => new KafkaEncoder().writeInt32(partition)))
      .writeUVarIntBytes()
  const request = ({ groupId, topics }: OffsetFetch) => ({
    apiKey: 9,
    apiVersion: stableVersion,
    apiName: 'OffsetFetch',
    encode: async () =>
      new KafkaEncoder()
        .writeUVarIntBytes()
        .writeUVarIntString(groupId)
        .writeUVarIntArray(topics.length === 0 ? null : topics.map(encodeTopic))
        .writeBoolean(true)
        .writeUVarIntBytes(),
  })

  function readPartition(decoder: Decoder) {
    const partition = decoder.readInt32()
    const offset = decoder.readInt64().toString()
    decoder.readInt32() // the leader's epoch
    const read = { partition, offset, metadata: decoder.readUVarIntString(), errorCode: decoder.readInt16() }
    decoder.readTaggedFields()
    return read
  }
  function readTopic(decoder: Decoder) {
    const read = { topic: decoder.readUVarIntString(), partitions: decoder.readUVarIntArray(readPartition) ?? [] }
    decoder.readTaggedFields()
    return read
  }
  async function decode(bytes: Buffer) {
    const decoder = new KafkaDecoder(bytes)
    decoder.readTaggedFields()
    const clientSideThrottleTime = decoder.readInt32()
    const responses = decoder.readUVarIntArray(readTopic) ?? []
    return { throttleTime: 0, clientSideThrottleTime, responses, errorCode: decoder.readInt16() }
  }

  definitions.versions.push(String(stableVersion))
  definitions.protocol = ({ version }) =>
    version >= stableVersion
      ? (asked) => ({ request: request(asked), response: { decode, parse } })
      : known({ version: Math.min(version, knownVersion) })
}
