import { setTimeout as sleep } from 'node:timers/promises'
import { createKafka, type KafkaOptions, operational, sayGoodbye } from './connection.ts'
import { createFetchClient, type FetchClient, type Fetched } from './fetch.ts'
import type { ReadRecord } from './read-committed.ts'

export interface PartitionRange {
  topic: string
  partition: number
  /** The oldest offset that is held. Above 0: retention has dropped what was before. */
  oldest: number
  from: number
  /** The first offset that is not read: the high watermark when it was asked for. It may lie past markers. */
  end: number
}

export type Beginning = 'oldest' | 'end' | { timeMs: number }

export interface ReadOptions {
  signal?: AbortSignal
  /** Go on past the end, for ever; partitions that these topics get later are read from their beginning. */
  follow?: readonly string[]
  /** How long it tries brokers that are away; by default half a minute, and for ever where it follows. */
  patienceMs?: number
  /** How long an open transaction may hide the rest of a partition before it is left there. */
  openTransactionPatienceMs?: number
  /** The brokers are away, and it tries again; told once, until they are back. */
  onTrouble?: (error: Error) => void
  /** A partition was left where an open transaction begins. */
  onHeldBack?: (partition: PartitionRange, offset: number) => void
}

/**
 * Reads topics and leaves no trace: no group, no committed offset, no partition taken from anybody. Records of aborted
 * and of open transactions are not shown. Errors are OperationalError KAFKA_UNAVAILABLE or KAFKA_REFUSED.
 */
export interface TopicReader {
  /** The partitions of those topics that are there, from their oldest record, a moment, or their end. */
  ranges(topics: readonly string[], from: Beginning): Promise<PartitionRange[]>
  /**
   * What lies in the ranges, some thousand records at a time, each partition in order. In memory are two answers of a
   * broker, of 4 MiB as it holds them, and one batch unpacked. It ends by itself, also where the end of a partition is
   * markers or was aborted. With `signal` it just ends.
   */
  read(ranges: readonly PartitionRange[], on?: ReadOptions): AsyncGenerator<ReadRecord[]>
  close(): Promise<void>
}

const boundedPatienceMs = 30_000
const chunkRecords = 2_000
const fetchWaitMs = 250
const lookForPartitionsMs = 5_000
const leastRetryMs = 100
const mostRetryMs = 2_000

export function createTopicReader(options: KafkaOptions): TopicReader {
  let client: FetchClient | undefined

  /** A client that met an error is thrown away: kafkajs keeps half-dead connections. */
  async function asking<T>(ask: (on: FetchClient) => Promise<T>): Promise<T> {
    client ??= createFetchClient(createKafka(options))
    const current = client
    try {
      return await ask(current)
    } catch (error) {
      if (client === current) client = undefined
      await sayGoodbye(() => current.disconnect())
      throw (error as { code?: string }).code?.startsWith?.('KAFKA_') ? error : operational(error, 'cannot read Kafka')
    }
  }

  const lookUp = (topics: readonly string[], from: Beginning): Promise<PartitionRange[]> =>
    asking(async (on) => {
      const places = await on.partitionsOf(topics)
      const [oldest, ends] = [await on.offsetsAt(places, -2), await on.offsetsAt(places, -1)]
      const begins =
        typeof from === 'object' ? await on.offsetsAt(places, Math.max(0, from.timeMs)) : from === 'end' ? ends : oldest
      return places.map((place, index) => {
        const end = ends[index] ?? 0
        return { ...place, oldest: oldest[index] ?? 0, end, from: Math.min(begins[index] ?? end, end) }
      })
    })

  async function* read(given: readonly PartitionRange[], on: ReadOptions = {}): AsyncGenerator<ReadRecord[]> {
    const { signal, follow } = on
    let open: Place[] = given
      .map((range) => ({ range, next: range.from, movedAt: performance.now() }))
      .filter((place) => follow || place.next < place.range.end)
    let lookAt = performance.now() + lookForPartitionsMs
    const known = new Set(open.map(({ range }) => nameOf(range)))

    /** One round of fetches, with the places moved on. */
    async function round(): Promise<Answered[]> {
      if (follow && performance.now() > lookAt) {
        lookAt = performance.now() + lookForPartitionsMs
        for (const range of await lookUp(follow, 'oldest')) {
          if (known.has(nameOf(range))) continue
          known.add(nameOf(range))
          open.push({ range, next: range.from, movedAt: performance.now() })
        }
      }
      if (open.length === 0) {
        await sleep(fetchWaitMs)
        return []
      }
      const places = open.map(({ range: { topic, partition }, next }) => ({ topic, partition, offset: next }))
      const answers = await asking((client) => client.fetch(places, fetchWaitMs))
      const answered = answers.map((answer) => {
        const place = open.find(({ range }) => range.topic === answer.topic && range.partition === answer.partition)!
        if (answer.next > place.next) place.movedAt = performance.now()
        place.next = answer.next
        place.stable = answer.stable
        return { answer, end: follow ? Number.POSITIVE_INFINITY : place.range.end }
      })
      open = open.filter((place) => follow || (place.next < place.range.end && !isHeldBack(place)))
      return answered
    }

    function isHeldBack({ range, next, stable = range.end, movedAt }: Place): boolean {
      if (next < stable) return false
      if (performance.now() - movedAt < (on.openTransactionPatienceMs ?? 70_000)) return false
      on.onHeldBack?.(range, next)
      return true
    }

    const patienceMs = on.patienceMs ?? (follow ? Number.POSITIVE_INFINITY : boundedPatienceMs)
    const patiently = () => keepTrying(round, { signal, patienceMs, onTrouble: on.onTrouble })
    const isOver = () => signal?.aborted || (!follow && open.length === 0)
    let ahead = isOver() ? undefined : patiently()
    while (ahead) {
      const answered = await ahead
      if (signal?.aborted) return
      ahead = isOver() ? undefined : patiently() // while the caller has this one
      ahead?.catch(() => {}) // thrown when it is awaited, or nobody wants it any more
      let chunk: ReadRecord[] = []
      for (const { answer, end } of answered) {
        for await (const records of answer.batches) {
          for (const record of records) if (record.offset < end) chunk.push(record)
          if (chunk.length < chunkRecords) continue
          yield chunk
          if (signal?.aborted) return
          chunk = []
        }
      }
      if (chunk.length > 0) yield chunk
    }
  }

  return {
    // A topic that was just made has no leader for a moment.
    ranges: (topics, from) => keepTrying(() => lookUp(topics, from), { patienceMs: boundedPatienceMs }),
    read,
    async close() {
      const current = client
      client = undefined
      if (current) await sayGoodbye(() => current.disconnect())
    },
  }
}

interface Answered {
  answer: Fetched
  end: number
}

interface Place {
  range: PartitionRange
  next: number
  movedAt: number
  stable?: number
}

const nameOf = ({ topic, partition }: { topic: string; partition: number }) => `${topic}/${partition}`

interface Patience {
  signal?: AbortSignal
  patienceMs: number
  onTrouble?: (error: Error) => void
}

/** Tries until the brokers answer; nothing, when the signal says so; throws where it is over, or a person has to act. */
async function keepTrying<T>(work: () => Promise<T[]>, { signal, patienceMs, onTrouble }: Patience): Promise<T[]> {
  const giveUpAt = performance.now() + patienceMs
  const aborted = Promise.withResolvers<T[]>()
  const onAbort = () => aborted.resolve([])
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    for (let retryMs = leastRetryMs; !signal?.aborted; retryMs = Math.min(retryMs * 2, mostRetryMs)) {
      try {
        return await Promise.race([work(), aborted.promise])
      } catch (error) {
        if ((error as { code?: string }).code !== 'KAFKA_UNAVAILABLE' || performance.now() > giveUpAt) throw error
        if (retryMs === leastRetryMs) onTrouble?.(error as Error)
        await Promise.race([sleep(retryMs), aborted.promise])
      }
    }
    return []
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
