import { createRequire } from 'node:module'
import type { Kafka } from 'kafkajs'
import { OperationalError } from '../errors.ts'
import { type FetchResponse, type PartitionAnswer, readFetchResponse } from './fetch-response.ts'
import { endOf, type ReadRecord, readCommitted } from './read-committed.ts'

/*
 * Fetching from partitions by offset, as no member of any group: nothing is joined, committed or left behind, and no right
 * but READ on the topics is wanted. kafkajs reads only as a group, so this goes beneath its consumer, to the connections
 * that it keeps to the brokers.
 */

export interface FetchPlace {
  topic: string
  partition: number
  offset: number
}

export interface Fetched extends FetchPlace {
  /** What a read_committed consumer sees, a batch at a time. Read it once. */
  batches: AsyncIterable<ReadRecord[]>
  /** Where to read on. It may have moved though there are no records: over markers, or what was aborted. */
  next: number
  /** The first offset of the oldest open transaction, or the high watermark: what comes after it is not shown yet. */
  stable: number
}

export interface FetchClient {
  /** The partitions of each topic that is there. */
  partitionsOf(topics: readonly string[]): Promise<{ topic: string; partition: number }[]>
  /** -1: the high watermark; -2: the oldest offset held; else the first record of that time or later, or none. */
  offsetsAt(places: readonly { topic: string; partition: number }[], timeMs: number): Promise<(number | undefined)[]>
  /** One request to each leader; waits for `maxWaitMs` at most where there is nothing yet. */
  fetch(places: readonly FetchPlace[], maxWaitMs: number): Promise<Fetched[]>
  disconnect(): Promise<void>
}

interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
  findBroker(on: { nodeId: number }): Promise<Broker>
  fetchTopicsOffset(
    on: { topic: string; partitions: { partition: number }[]; fromTimestamp: number }[],
  ): Promise<{ topic: string; partitions: { partition: number; offset: string }[] }[]>
}

interface Broker {
  connectionPool: {
    send<T>(call: {
      request: unknown
      response: { decode(bytes: Buffer): Promise<T>; parse(decoded: T): Promise<T> }
    }): Promise<T>
  }
}

const readUncommitted = 0
const readCommittedLevel = 1
/** Of one answer, compressed. */
const maxBytes = 4 * 1024 * 1024
const maxPartitionBytes = 1024 * 1024
/** The leader is another one now, or is not chosen yet: look again who leads. */
const staleLeader = new Set([3, 5, 6, 9, 56, 74, 75, 78])
const offsetOutOfRange = 1
const topicNotAllowed = 29

export function createFetchClient(kafka: Kafka): FetchClient {
  const require = createRequire(import.meta.url)
  const fetchRequest: (on: object) => unknown = require('kafkajs/src/protocol/requests/fetch/v11/request')
  const cluster = clusterOf(kafka)

  async function know(topics: Iterable<string>): Promise<void> {
    await cluster.connect()
    await cluster.addMultipleTargetTopics([...new Set(topics)])
  }

  async function offsetsAt(places: readonly { topic: string; partition: number }[], timeMs: number) {
    if (places.length === 0) return []
    await know(places.map(({ topic }) => topic))
    const asked = [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition })),
      fromTimestamp: timeMs,
    }))
    const found = new Map<string, number>()
    for (const { topic, partitions } of await cluster.fetchTopicsOffset(asked)) {
      for (const { partition, offset } of partitions) found.set(`${topic}/${partition}`, Number(offset))
    }
    return places.map(({ topic, partition }) => {
      const offset = found.get(`${topic}/${partition}`) ?? -1
      return offset < 0 ? undefined : offset
    })
  }

  async function fetchFrom(leader: number, places: readonly FetchPlace[], maxWaitMs: number): Promise<Fetched[]> {
    const broker = await cluster.findBroker({ nodeId: leader })
    // Another one first each time: an answer is filled in the order of the request.
    const turn = Math.floor(Math.random() * places.length)
    const inTurn = [...places.slice(turn), ...places.slice(0, turn)]
    const request = fetchRequest({
      replicaId: -1,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes,
      isolationLevel: readCommittedLevel,
      topics: [...Map.groupBy(inTurn, ({ topic }) => topic)].map(([topic, partitions]) => ({
        topic,
        partitions: partitions.map(({ partition, offset }) => ({
          partition,
          fetchOffset: offset,
          maxBytes: maxPartitionBytes,
        })),
      })),
    })
    const { partitions } = await broker.connectionPool.send<FetchResponse>({
      request,
      response: { decode: async (bytes) => readFetchResponse(bytes), parse: async (decoded) => decoded },
    })
    const placeOf = new Map(places.map((place) => [`${place.topic}/${place.partition}`, place]))
    const fetched: Fetched[] = []
    for (const part of partitions) {
      const place = placeOf.get(`${part.topic}/${part.partition}`)
      if (place) fetched.push(await toFetched(place, part))
    }
    return fetched
  }

  async function toFetched(place: FetchPlace, part: PartitionAnswer): Promise<Fetched> {
    const { errorCode } = part
    const stable = Number(part.stable)
    if (errorCode === 0) {
      const set = { ...part, from: place.offset }
      return { ...place, batches: readCommitted(set), next: endOf(set), stable }
    }
    const name = `${part.topic}/${part.partition}`
    if (errorCode === offsetOutOfRange) {
      const [oldest] = await offsetsAt([place], -2)
      if (oldest !== undefined && oldest > place.offset)
        return { ...place, batches: nothing(), next: oldest, stable: oldest } // retention was faster
      throw new OperationalError('KAFKA_TOPIC_CHANGED', `${name} ends before offset ${place.offset}: it was made anew`)
    }
    if (errorCode === topicNotAllowed) throw new OperationalError('KAFKA_REFUSED', `we may not read ${part.topic}`)
    if (staleLeader.has(errorCode)) await cluster.refreshMetadata()
    throw new OperationalError('KAFKA_UNAVAILABLE', `cannot read ${name} just now: the broker answers ${errorCode}`)
  }

  return {
    async partitionsOf(topics) {
      const admin = kafka.admin()
      try {
        await admin.connect()
        const there = new Set(await admin.listTopics())
        const known = topics.filter((topic) => there.has(topic))
        if (known.length === 0) return []
        await know(known)
        await cluster.refreshMetadata()
        return known.flatMap((topic) =>
          cluster
            .findTopicPartitionMetadata(topic)
            .map(({ partitionId }) => ({ topic, partition: partitionId }))
            .sort((a, b) => a.partition - b.partition),
        )
      } finally {
        await admin.disconnect()
      }
    },
    offsetsAt,
    async fetch(places, maxWaitMs) {
      await know(places.map(({ topic }) => topic))
      const leaders = Map.groupBy(places, ({ topic, partition }) => leaderOf(cluster, topic, partition))
      const answers = await Promise.all([...leaders].map(([leader, at]) => fetchFrom(leader, at, maxWaitMs)))
      return answers.flat()
    },
    disconnect: () => cluster.disconnect(),
  }
}

async function* nothing(): AsyncGenerator<never> {}

function clusterOf(kafka: Kafka): Cluster {
  const name = Object.getOwnPropertySymbols(kafka).find((key) => key.description === 'private:Kafka:createCluster')
  const create = name && (kafka as unknown as Record<symbol, (on: object) => Cluster>)[name]
  if (!create) throw new Error('this is not kafkajs 2.2.4, beneath which topics are read')
  return create({ metadataMaxAge: 300_000, allowAutoTopicCreation: false, isolationLevel: readUncommitted })
}

function leaderOf(cluster: Cluster, topic: string, partition: number): number {
  const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)
  if (found && found.leader >= 0) return found.leader
  throw new OperationalError('KAFKA_UNAVAILABLE', `${topic}/${partition} has no leader just now`)
}
