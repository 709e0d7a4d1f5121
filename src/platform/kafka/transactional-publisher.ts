import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka, Offsets, Producer, Transaction } from 'kafkajs'
import { OperationalError } from '../errors.ts'
import { createKafka, type KafkaOptions, operational, sayGoodbye } from './connection.ts'
import { createMessageSender } from './message-sender.ts'
import type { KafkaMessage, KafkaPublisher } from './publisher.ts'
import { ensureTopics } from './topics.ts'
import { installTransactionRequests } from './transaction-requests.ts'

/** How far a publisher has come, as Kafka keeps it: the committed offset of a group of its own. */
export interface KafkaPosition {
  /** A whole number that rises from commit to commit; where it stays the same, the metadata rises as text. */
  offset: string
  metadata: string
}

export interface TakeOver {
  /** The transactional id and the group. Whoever published under it before is fenced. */
  name: string
  /** A topic that is there: partition 0 of it carries the position. */
  positionTopic: string
}

/**
 * Throws OperationalError KAFKA_UNAVAILABLE, where trying again helps, KAFKA_REFUSED, where a person has to, or KAFKA_FENCED
 * when another has taken over.
 */
export interface TransactionalPublisher extends Pick<KafkaPublisher, 'ensureTopics'> {
  /**
   * Fences whoever published under this name, ends what they left open, and tells the position of the last transaction
   * that counted. The session before, if there is one, is thrown away.
   */
  takeOver(as: TakeOver): Promise<PublisherSession>
  /** Throws the session away. What it had not committed never happened. */
  disconnect(): Promise<void>
}

/** After an error nobody knows what counted: take over again, and go on from the position that is found then. */
export interface PublisherSession {
  /** Undefined: Kafka has none. */
  readonly position: KafkaPosition | undefined
  /** Adds to the transaction under way, or begins one; one key's messages stay in order. */
  send(messages: readonly KafkaMessage[]): Promise<void>
  /** Ends the transaction, with this as the position: both count, or neither. */
  commit(position: KafkaPosition): Promise<void>
}

/** After this the broker aborts a transaction by itself, and those that read committed messages can go on. */
const transactionTimeoutMs = 60_000

export function createTransactionalPublisher(options: KafkaOptions): TransactionalPublisher {
  installTransactionRequests()
  const kafka = createKafka(options)
  let current: OpenSession | undefined

  async function disconnect(): Promise<void> {
    const ended = current
    current = undefined
    await ended?.close()
  }

  return {
    ensureTopics: (topics, on) => ensureTopics(kafka, topics, on),
    async takeOver(as) {
      await disconnect()
      const session = createSession(kafka, options, as)
      current = session
      try {
        await session.open()
        return session
      } catch (error) {
        if (current === session) await disconnect()
        throw faultOf(error, 'cannot take over the feed in Kafka')
      }
    },
    disconnect,
  }
}

interface OpenSession extends PublisherSession {
  open(): Promise<void>
  close(): Promise<void>
}

/**
 * One producer, from its birth to its first error. It never tries a request again: when one of several brokers fails,
 * kafkajs repeats those that were still under way to the others, under new sequence numbers, and both copies would count.
 */
function createSession(kafka: Kafka, { compression }: KafkaOptions, as: TakeOver): OpenSession {
  const sender = createMessageSender(compression)
  const producer: Producer = kafka.producer({
    transactionalId: as.name,
    transactionTimeout: transactionTimeoutMs,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { retries: 0 },
    createPartitioner: sender.createPartitioner,
  })
  let transaction: Transaction | undefined
  let position: KafkaPosition | undefined
  /** Nothing may be asked of the producer but its end: something of it is under way, failed, or is closed. */
  let state: 'ready' | 'busy' | 'failed' | 'closed' = 'ready'

  async function guarded(what: string, work: () => Promise<void>): Promise<void> {
    if (state !== 'ready') throw new OperationalError('KAFKA_UNAVAILABLE', `${what}: the session is ${state}`)
    state = 'busy'
    try {
      await work()
      if (state === 'busy') state = 'ready'
    } catch (error) {
      if (state === 'busy') state = 'failed'
      throw faultOf(error, what)
    }
  }

  async function begun(): Promise<Transaction> {
    transaction ??= await producer.transaction()
    return transaction
  }

  function stillOpen(): void {
    if (state === 'closed') throw new OperationalError('KAFKA_UNAVAILABLE', 'the session was closed meanwhile')
  }

  return {
    get position() {
      return position
    },
    open: () =>
      guarded('cannot open a transactional producer', async () => {
        await producer.connect()
        stillOpen()
        await begun() // from here on whoever had the name is fenced
        stillOpen()
        position = await readPosition(kafka, as.name)
      }),
    send: (messages) =>
      guarded('Kafka did not take the messages', async () => {
        const { sendBatch } = await begun()
        await sender.send(sendBatch, messages)
      }),
    commit: (next) =>
      guarded('Kafka did not commit the transaction', async () => {
        const ending = await begun()
        const offsets: Offsets & { consumerGroupId: string } = {
          consumerGroupId: as.name,
          topics: [{ topic: as.positionTopic, partitions: [{ partition: 0, ...next }] }],
        }
        await ending.sendOffsets(offsets)
        await ending.commit()
        transaction = undefined
      }),
    async close() {
      const idle = state === 'ready'
      state = 'closed'
      // So that readers need not wait for the time limit. Only if nothing is under way, which might arrive after it.
      if (idle && transaction) await sayGoodbye(transaction.abort)
      await sayGoodbye(() => producer.disconnect())
    },
  }
}

const unstablePatienceMs = 5_000

/** The position of the last transaction that counted: the furthest, where topics have taken turns in carrying it. */
async function readPosition(kafka: Kafka, group: string): Promise<KafkaPosition | undefined> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const giveUpAt = performance.now() + unstablePatienceMs
    for (;;) {
      try {
        return furthest(await admin.fetchOffsets({ groupId: group }))
      } catch (error) {
        if (typesOf(error).includes('UNSTABLE_OFFSET_COMMIT') && performance.now() < giveUpAt) await sleep(20)
        else throw error
      }
    }
  } finally {
    await sayGoodbye(() => admin.disconnect())
  }
}

type GroupOffsets = Awaited<ReturnType<ReturnType<Kafka['admin']>['fetchOffsets']>>

function furthest(offsets: GroupOffsets): KafkaPosition | undefined {
  const positions = offsets
    .flatMap(({ partitions }) => partitions)
    .filter(({ offset }) => offset !== '-1')
    .map(({ offset, metadata }) => ({ offset, metadata: metadata ?? '' }))
  return positions.reduce<KafkaPosition | undefined>(
    (most, next) => (most && isFurther(most, next) ? most : next),
    undefined,
  )
}

function isFurther(a: KafkaPosition, b: KafkaPosition): boolean {
  return a.offset === b.offset ? a.metadata > b.metadata : BigInt(a.offset) > BigInt(b.offset)
}

/** Of a transaction that has come to nothing, for reasons that a new producer does not share. */
const passing = new Set([
  'INVALID_TXN_STATE',
  'INVALID_PRODUCER_ID_MAPPING',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'CONCURRENT_TRANSACTIONS',
  'UNSTABLE_OFFSET_COMMIT',
  'KafkaJSGroupCoordinatorNotFound', // whatever the brokers answered: kafkajs keeps it to itself
])

function faultOf(error: unknown, what: string): OperationalError {
  if (error instanceof OperationalError) return error
  const types = typesOf(error)
  const { message } = error as Error
  // 90 is PRODUCER_FENCED, which came after kafkajs.
  if (types.includes('INVALID_PRODUCER_EPOCH') || message.includes('Unknown error code 90')) {
    return new OperationalError('KAFKA_FENCED', `${what}: another has taken over, or it took too long`, {
      cause: error,
    })
  }
  if (types.some((type) => passing.has(type))) {
    return new OperationalError('KAFKA_UNAVAILABLE', `${what}: ${message}`, { cause: error })
  }
  return operational(error, what)
}

/** The names of an error and of its causes, as the protocol and as kafkajs have them. */
function typesOf(error: unknown): string[] {
  const types: string[] = []
  let at = error as { type?: string; name?: string; cause?: unknown } | undefined
  for (let depth = 0; at && depth < 10; depth++) {
    if (at.type) types.push(at.type)
    if (at.name) types.push(at.name)
    at = at.cause as typeof at
  }
  return types
}
