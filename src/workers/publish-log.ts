import type pg from 'pg'
import type { FeedCursor } from '../domain/status-event.ts'
import { moveCursor } from '../pipeline/stream/feed-cursor.ts'
import type { FeedEncoder } from '../pipeline/stream/feed-encoder.ts'
import { cursorMoved, toKafkaPosition } from '../pipeline/stream/feed-position.ts'
import type { PollPause } from '../pipeline/stream/poll-pause.ts'
import { type FeedPage, readEvents } from '../pipeline/stream/read-events.ts'
import type { Clock } from '../platform/clock.ts'
import { inTransaction } from '../platform/db.ts'
import type { PublisherSession } from '../platform/kafka/transactional-publisher.ts'

export interface PublishLogDeps {
  pool: pg.Pool
  clock: Clock
  lane: string
  /** Of the database, kept beside the place in Kafka. */
  identity: string
  encoder: FeedEncoder
  /** Its position is `from`. */
  session: PublisherSession
  /** The mirror's place, too. */
  from: FeedCursor
  /** Events of a page; a transaction holds several. */
  batchEvents: number
  /** After this long without events the position is committed again, or Kafka would forget it. */
  keepPositionMs: number
  pause: PollPause
  /** False: end what is begun, and return. */
  isLeading(): boolean
  /** The answer of a broker or a registry, or a rejection when it makes no more sense to wait for one. */
  answered<T>(work: Promise<T>): Promise<T>
  published(events: number): void
  /** After each look at the log, and each transaction. */
  onProgress(): void
}

/** Between two reads of a log that trickles: a transaction costs about the same, however small. */
const lingerMs = 100
/** A transaction costs a handful of requests, so it takes some pages along where there are some; and readers wait for its end. */
const transactionPages = 5
const transactionMs = 500

/**
 * Publishes the log from a place on, in transactions that carry the new place, and moves the mirror after each. The next
 * page is read and encoded while Kafka has the one before.
 */
export async function publishLog(on: PublishLogDeps): Promise<void> {
  let mirror = on.from
  let position = on.from
  let ahead: Promise<FeedPage> | undefined
  let committedAt = performance.now()

  while (on.isLeading()) {
    const { events, last, atEnd } = await sendSome()
    if (last) {
      await on.answered(on.session.commit(toKafkaPosition(last, on.identity)))
      await moveMirror(last)
      on.published(events)
      committedAt = performance.now()
    } else if (performance.now() - committedAt > on.keepPositionMs) {
      await on.answered(on.session.commit(toKafkaPosition(mirror, on.identity)))
      committedAt = performance.now()
    }
    on.onProgress()
    if (atEnd && on.isLeading()) await (events > 0 ? on.pause.linger(lingerMs) : on.pause.wait(false))
  }

  /** Fills a transaction, from what there is. */
  async function sendSome(): Promise<{ events: number; last?: FeedCursor; atEnd: boolean }> {
    const until = performance.now() + transactionMs
    let events = 0
    let last: FeedCursor | undefined
    let sending = Promise.resolve()
    for (let pages = 1; ; pages++) {
      const page = await nextPage()
      const most = on.encoder.mostEvents ?? page.events.length
      for (let from = 0; from < page.events.length; from += most) {
        const some = page.events.slice(from, from + most)
        const messages = await on.answered(on.encoder.encode(some))
        await on.answered(sending)
        sending = on.session.send(messages)
        sending.catch(() => {}) // thrown when it is awaited
        const { xid, id } = some.at(-1)!
        last = { xid, id }
        events += some.length
      }
      if (page.atEnd || pages === transactionPages || performance.now() > until || !on.isLeading()) {
        await on.answered(sending)
        return { events, last, atEnd: page.atEnd }
      }
    }
  }

  async function nextPage(): Promise<FeedPage> {
    const page = await (ahead ?? readPage(position))
    position = page.next
    ahead = page.atEnd ? undefined : readPage(page.next)
    ahead?.catch(() => {}) // thrown when it is awaited, or nobody wants it any more
    return page
  }

  function readPage(after: FeedCursor): Promise<FeedPage> {
    return inTransaction(on.pool, (trx) => readEvents(trx, after, on.batchEvents))
  }

  async function moveMirror(to: FeedCursor): Promise<void> {
    if (!(await moveCursor(on.pool, on.lane, mirror, to, on.clock.now()))) throw cursorMoved()
    mirror = to
  }
}
