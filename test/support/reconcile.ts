import type pg from 'pg'
import { pino } from 'pino'
import { createFeedEncoder, type FeedEncoder } from '../../src/pipeline/stream/feed-encoder.ts'
import { type FeedReport, type ReconcileOptions, reconcileFeed } from '../../src/pipeline/stream/reconcile-feed.ts'
import { createTopicReader, type TopicReader } from '../../src/platform/kafka/consumer.ts'

/** A reader of a test's broker. Close it. */
export function readerOf(brokers: readonly string[]): TopicReader {
  const logger = pino({ level: 'silent' })
  return createTopicReader({ brokers, clientId: 'reconcile-test', ssl: false, compression: 'none', logger })
}

export interface Reconciled extends Partial<Omit<ReconcileOptions, 'pool'>> {
  brokers: readonly string[]
  /** In the role carillon_worker. */
  pool: pg.Pool
  topicPrefix?: string
  encoder?: FeedEncoder
}

/**
 * Compares a broker with a database, the last hour by default: missing, doubled, out of order, changed, foreign, and
 * which. A test asserts `ok` with `findings` as its message.
 */
export async function reconcile({ brokers, pool, topicPrefix = '', ...over }: Reconciled): Promise<FeedReport> {
  const reader = over.reader ?? readerOf(brokers)
  const now = Date.now()
  try {
    return await reconcileFeed({
      pool,
      encoder: createFeedEncoder({ topicPrefix }),
      period: { from: new Date(now - 3_600_000), to: new Date(now + 60_000) },
      ...over,
      reader,
    })
  } finally {
    if (!over.reader) await reader.close()
  }
}
