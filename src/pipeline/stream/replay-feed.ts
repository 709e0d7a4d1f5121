import type pg from 'pg'
import { idTimeMs } from '../../domain/ids.ts'
import type { FeedCursor, StatusEvent } from '../../domain/status-event.ts'
import type { TopicReader } from '../../platform/kafka/consumer.ts'
import { partitionOf } from '../../platform/kafka/partition.ts'
import type { KafkaMessage } from '../../platform/kafka/publisher.ts'
import { sequenceOf } from './cloud-event.ts'
import type { FeedEncoder } from './feed-encoder.ts'
import { readFeedMessage, replayHeader } from './feed-message.ts'
import { readLane } from './read-lane.ts'
import { type FeedPeriod, readPeriod } from './read-period.ts'

export interface ReplaySelection {
  period: FeedPeriod
  /** Full names, with their prefix; absent: all of the feed's. */
  topics?: ReadonlySet<string>
  /** Absent: every type. */
  acceptsType?: (type: string) => boolean
}

/** What a replay wants of a producer. */
export interface ReplayPublisher {
  connect(): Promise<void>
  publish(batch: readonly KafkaMessage[]): Promise<void>
}

/** Which events, and where from. */
export interface ReplaySource {
  /** In the role carillon_worker. */
  pool: pg.Pool
  encoder: FeedEncoder
  selection: ReplaySelection
  /** The row of carillon.feed_cursors. */
  lane?: string
  /** What an earlier try of this run has published already: see readReached. */
  reached?: (message: KafkaMessage, sequence: string) => boolean
  signal?: AbortSignal
}

export interface ReplayOptions extends ReplaySource {
  publisher: ReplayPublisher
  /** A UUIDv7 of its own for each run: consumers find it in the header `ce_replayid`. */
  replayId: string
  /** At most so many events a second. */
  rate?: number
  pause: (ms: number) => Promise<void>
  /** Milliseconds that only grow; by default the process's own. */
  nowMs?: () => number
  onProgress?: (published: number, at: Date) => void
}

const pageEvents = 1_000

/** How many events a replay would publish. */
export async function countForReplay(on: ReplaySource, onProgress?: (count: number) => void): Promise<number> {
  let count = 0
  for await (const page of select(on)) {
    count += page.length
    onProgress?.(count)
  }
  return count
}

/**
 * Publishes the log's events once more, in its order, each with the header `ce_replayid`; of the relay's place it changes
 * nothing. Only what the relay has passed: what is still to come comes by itself. Gives how many it published; with
 * `signal` it ends after the batch under way. When it throws, any part of its last batch may have arrived.
 */
export async function replayFeed(on: ReplayOptions): Promise<number> {
  const batchEvents = Math.max(1, Math.min(pageEvents, on.rate ?? pageEvents))
  const nowMs = on.nowMs ?? (() => performance.now())
  const beganAt = nowMs()
  let published = 0
  await on.publisher.connect()
  for await (const messages of select(on)) {
    for (let from = 0; from < messages.length; from += batchEvents) {
      if (on.signal?.aborted) return published
      const batch = messages.slice(from, from + batchEvents)
      await on.publisher.publish(
        batch.map(({ message }) => ({ ...message, headers: { ...message.headers, [replayHeader]: on.replayId } })),
      )
      published += batch.length
      on.onProgress?.(published, batch.at(-1)!.at)
      if (on.rate) {
        const aheadMs = (published / on.rate) * 1_000 - (nowMs() - beganAt)
        if (aheadMs > 0) await on.pause(aheadMs)
      }
    }
  }
  return published
}

/**
 * What a run that was cut off has published, as Kafka has it: each partition holds the events in the order of the log, so
 * whatever is not later than the last one of its partition has arrived.
 */
export async function readReached(
  reader: TopicReader,
  topics: readonly string[],
  replayId: string,
  signal?: AbortSignal,
): Promise<(message: KafkaMessage, sequence: string) => boolean> {
  const ranges = await reader.ranges(topics, { timeMs: idTimeMs(replayId) - 60_000 })
  const counts = new Map<string, number>()
  for (const { topic } of ranges) counts.set(topic, (counts.get(topic) ?? 0) + 1)
  const last = new Map<string, string>()
  for await (const records of reader.read(ranges, { signal })) {
    for (const record of records) {
      const message = readFeedMessage(record)
      if (message?.replayId !== replayId) continue
      const name = `${record.topic}/${record.partition}`
      if ((last.get(name) ?? '') < message.sequence) last.set(name, message.sequence)
    }
  }
  return ({ topic, key }, sequence) => {
    const count = counts.get(topic)
    if (count === undefined) return false
    return sequence <= (last.get(`${topic}/${partitionOf(Buffer.from(key), count)}`) ?? '')
  }
}

interface Selected {
  message: KafkaMessage
  sequence: string
  at: Date
}

/** The events of a selection up to the relay's place, encoded, a page at a time. */
async function* select({ pool, encoder, selection, lane, reached, signal }: ReplaySource): AsyncGenerator<Selected[]> {
  const { period, topics, acceptsType } = selection
  const { cursor } = await readLane(pool, lane ?? 'kafka')
  for await (const page of readPeriod(pool, period, pageEvents)) {
    if (signal?.aborted) return
    const events = page.filter((event) => isPassed(event, cursor) && (acceptsType?.(event.type) ?? true))
    if (events.length === 0) continue
    const messages = await encoder.encode(events)
    const selected = messages.map((message, index) => ({
      message,
      sequence: sequenceOf(events[index]!),
      at: events[index]!.at,
    }))
    yield selected.filter(
      ({ message, sequence }) => (topics?.has(message.topic) ?? true) && !reached?.(message, sequence),
    )
  }
}

function isPassed(event: StatusEvent, cursor: FeedCursor): boolean {
  const ahead = BigInt(event.xid) - BigInt(cursor.xid)
  return ahead < 0n || (ahead === 0n && event.id <= cursor.id)
}
