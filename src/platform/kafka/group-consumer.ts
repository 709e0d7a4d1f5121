import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import { OperationalError } from '../errors.ts'
import { createKafka, type KafkaOptions, operational, sayGoodbye } from './connection.ts'
import type { FetchedMessage } from './fetch-decoder.ts'

export interface TopicPartition {
  topic: string
  partition: number
}

/** The messages of one partition from one fetch; those of aborted transactions are left out. */
export interface FetchedBatch extends TopicPartition {
  messages: readonly FetchedMessage[]
  /** Where it was asked for from, and where the next one is asked for. */
  from: bigint
  next: bigint
  /** Where we were is not there any more, behind the log's beginning or beyond its end: this is from its beginning. */
  beganAnew: boolean
}

/** What a batch is handled with. Every wait is to be broken by heartbeats: without them the group goes on without us. */
export interface BatchTurn {
  /** Rejects when the group is being dealt anew: let it through. */
  heartbeat(): Promise<void>
  /** We have been told to stop, or the partition is somebody else's by now. */
  isOver(): boolean
}

export interface GroupConsumerOptions {
  kafka: KafkaOptions
  groupId: string
  topics: readonly string[]
  /** After how long without a heartbeat a member's partitions are given away. */
  sessionTimeoutMs: number
  /** How often it looks whether topics have got more partitions. */
  lookEveryMs: number
  /** Batches in work at once. */
  concurrency: number
  /** Where a partition that we were given goes on; asked at each assignment. undefined: its turn is over. */
  positionOf(at: TopicPartition, turn: BatchTurn): Promise<bigint | undefined>
  /**
   * Takes a batch, and gives where its partition goes on, which need not be where the batch ends. What it throws ends the
   * session.
   */
  onBatch(batch: FetchedBatch, turn: BatchTurn): Promise<bigint>
  onAssigned?: (partitions: readonly TopicPartition[]) => void
}

export interface GroupConsumer {
  /** Rejects when the session has failed, with OperationalError where Kafka has: close it, and open another. */
  readonly failed: Promise<never>
  close(): Promise<void>
}

const heartbeatMs = 2_000
/** kafkajs gives a broker this and 100 ms before it takes the connection for dead. */
const fetchWaitMs = 2_000
const courtesyEveryMs = 5_000
/** No fetch, no join and no heartbeat for so long: kafkajs has lost its way. */
const silenceMs = 60_000

/**
 * One life of a consumer in a group, which hands out partitions and nothing else: positions are the caller's, so nothing
 * depends on what the group has committed; it is told now and then, for the tools that show lag.
 *
 * kafkajs restarts a consumer that crashed inside itself, or gives up silently, depending on the error. Here a session
 * that crashed, or that has been silent for a minute, is failed, closed, and the caller opens another.
 */
export async function openGroupConsumer(options: GroupConsumerOptions): Promise<GroupConsumer> {
  const lost = new Set<string>()
  const { sessionTimeoutMs } = options
  const kafka = createKafka({ ...options.kafka, logger: hearOutOfRange(options.kafka.logger, lost) })
  const consumer = kafka.consumer({
    groupId: options.groupId,
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: 2 * sessionTimeoutMs,
    heartbeatInterval: heartbeatMs,
    maxWaitTimeInMs: fetchWaitMs,
    maxBytesPerPartition: 512 * 1024,
    maxBytes: 2 * 1024 * 1024,
    metadataMaxAge: options.lookEveryMs,
    allowAutoTopicCreation: false,
    readUncommitted: false,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
  })
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {}) // heard by whoever waits for it
  const fail = (error: unknown) =>
    failure.reject(isKafkas(error) ? operational(error, 'the consumer has failed') : error)

  let heardMs = performance.now()
  const hear = () => {
    heardMs = performance.now()
  }
  for (const event of ['FETCH', 'HEARTBEAT', 'START_BATCH_PROCESS', 'END_BATCH_PROCESS'] as const) {
    consumer.on(consumer.events[event], hear)
  }
  consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error))
  const watch = setInterval(() => {
    if (performance.now() - heardMs > silenceMs)
      failure.reject(new OperationalError('KAFKA_UNAVAILABLE', 'kafkajs has been silent for a minute'))
  }, heartbeatMs)

  const places = createPlaces(consumer, options, lost)
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    hear()
    places.forget() // whatever we knew, others may have moved since
    options.onAssigned?.(
      Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
        partitions.map((partition) => ({ topic, partition })),
      ),
    )
  })

  const close = async () => {
    clearInterval(watch)
    await sayGoodbye(() => consumer.disconnect(), 10_000)
  }
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...options.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: options.concurrency,
      eachBatch: (payload) =>
        places.take(payload).catch((error) => {
          if (!isKafkas(error)) fail(error)
          throw error
        }),
    })
  } catch (error) {
    await close()
    throw operational(error, 'cannot consume from Kafka')
  }
  return { failed: failure.promise, close }
}

/** What kafkajs throws, such as the news that the group is dealt anew: it knows what to do. Everything else is ours. */
const isKafkas = (error: unknown): boolean => (error as Error).name.startsWith('KafkaJS')

/** kafkajs 2.2.4 goes to the beginning by itself when an offset is out of range, and says so in its log alone. */
function hearOutOfRange(logger: KafkaOptions['logger'], lost: Set<string>): KafkaOptions['logger'] {
  return {
    debug(...said: unknown[]) {
      const [detail, message] = said as [{ topic?: string; partition?: number }, string]
      if (message?.startsWith('Offset out of range, resetting')) lost.add(`${detail.topic}/${detail.partition}`)
      logger.debug(detail, message)
    },
  }
}

/** Where each partition of ours is: what we handle next, and from where kafkajs fetches. */
function createPlaces(consumer: Consumer, options: GroupConsumerOptions, lost: Set<string>) {
  const next = new Map<string, bigint>()
  let generation = 0
  let courtesyMs = performance.now()

  async function take(payload: EachBatchPayload): Promise<void> {
    const { batch, heartbeat, isRunning, isStale, resolveOffset } = payload
    const { topic, partition } = batch
    const key = `${topic}/${partition}`
    const born = generation
    const isOver = () => !isRunning() || generation !== born
    const seek = (offset: bigint) => {
      next.set(key, offset)
      consumer.seek({ topic, partition, offset: offset.toString() })
    }
    if (isStale() || isOver()) return
    const turn = { heartbeat, isOver }
    // A field that the types leave out: the offset that was asked for.
    const from = BigInt((batch as typeof batch & { fetchedOffset: string }).fetchedOffset)
    if (!next.has(key)) {
      const position = await options.positionOf({ topic, partition }, turn)
      if (position === undefined || isOver()) return
      next.set(key, position)
      if (position !== from) return seek(position) // kafkajs began where the group has committed
    }
    const end = BigInt(batch.lastOffset()) + 1n
    const goesOn = await options.onBatch(
      {
        topic,
        partition,
        messages: batch.messages as unknown as FetchedMessage[],
        from,
        next: end,
        beganAnew: lost.has(key),
      },
      turn,
    )
    if (isOver()) return
    lost.delete(key)
    if (goesOn === end) {
      resolveOffset(batch.lastOffset())
      next.set(key, end)
    } else {
      seek(goesOn)
    }
    tellBroker()
  }

  /** For tools that show lag; nothing is lost when it fails. */
  function tellBroker(): void {
    if (performance.now() - courtesyMs < courtesyEveryMs) return
    courtesyMs = performance.now()
    const offsets = [...next].map(([key, offset]) => {
      const slash = key.lastIndexOf('/')
      return { topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)), offset: offset.toString() }
    })
    consumer.commitOffsets(offsets).catch(() => {})
  }

  return {
    take,
    forget() {
      generation++
      next.clear()
      lost.clear()
    },
  }
}

export interface TopicBounds {
  partition: number
  low: bigint
  high: bigint
}

/** What there is to read, asked on a connection of its own. */
export interface TopicWatch {
  clusterId(): Promise<string>
  topics(): Promise<string[]>
  bounds(topic: string): Promise<TopicBounds[]>
  close(): Promise<void>
}

export async function openTopicWatch(options: KafkaOptions): Promise<TopicWatch> {
  const kafka: Kafka = createKafka(options)
  const admin: Admin = kafka.admin()
  const ask = async <T>(question: () => Promise<T>): Promise<T> => {
    try {
      return await question()
    } catch (error) {
      throw operational(error, 'Kafka does not say what there is to read')
    }
  }
  await ask(() => admin.connect())
  return {
    clusterId: () => ask(async () => (await admin.describeCluster()).clusterId),
    topics: () => ask(() => admin.listTopics()),
    bounds: (topic) =>
      ask(async () =>
        (await admin.fetchTopicOffsets(topic)).map(({ partition, low, high }) => ({
          partition,
          low: BigInt(low),
          high: BigInt(high),
        })),
      ),
    close: () => sayGoodbye(() => admin.disconnect()),
  }
}
