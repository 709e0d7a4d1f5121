import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { FeedCursor, StatusEvent } from '../../domain/status-event.ts'
import { asTenants, inTransaction } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'
import { statusEventsTopic, type Wake } from '../../platform/wake.ts'
import { createFollower, type Follower } from './follower.ts'
import { type Concern, createFollowerIndex } from './follower-index.ts'
import { createPollPause } from './poll-pause.ts'
import { readEvents, readHorizon } from './read-events.ts'

export interface LiveFeedOptions {
  /** In the role carillon_api: a follower sees its own tenant's events only, and Postgres enforces it. */
  pool: pg.Pool
  wake?: Pick<Wake, 'on'>
  /** How often to look while nothing comes and nothing wakes us. */
  idlePollMs: number
  /** Events that a follower may lag behind before it is ended with FOLLOWER_TOO_SLOW; some pages' worth, for they come in bursts. */
  bufferEvents?: number
  pageEvents?: number
  logger: Pick<Logger, 'info' | 'warn'>
}

export interface FollowRequest {
  tenantId: string
  /** Only events that concern this recipient or story: the tailer finds a follower by it. Absent: all of the tenant's. */
  about?: Concern
  /** Which of these; called for each of them, so it must be quick. */
  accepts(event: StatusEvent): boolean
  /** Ends the following. */
  signal: AbortSignal
}

export interface LiveFeed {
  /**
   * Follows a tenant's events from now on. Once it resolves, a snapshot read by any means misses nothing: what it does
   * not show will come (and what it shows may come once more). While the database is away it waits. The iterator ends
   * with the signal, or throws FOLLOWER_TOO_SLOW, FEED_AHEAD_OF_DATABASE or SHUTTING_DOWN. Iterate it once.
   */
  follow(request: FollowRequest): Promise<AsyncIterable<StatusEvent>>
  /** Ends every follower and the tailer. */
  close(): Promise<void>
}

/** Between two looks, however many rings: each costs about the same, and serves all that came meanwhile. */
const gapMs = 12
const leastRetryMs = 50
const toldAtOnce = 200
const mostRetryMs = 5_000

/**
 * One tailer for all followers of this process, however many; it reads the tenants that are followed, and rests when
 * nobody is. An outage of the database delays it: the cursor is kept, and reading goes on from it.
 */
export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  const { pool, logger } = options
  const pageEvents = options.pageEvents ?? 500
  const pause = createPollPause({ idlePollMs: options.idlePollMs, wake: options.wake, topic: statusEventsTopic, gapMs })
  const followers = createFollowerIndex()
  let arriving = new Set<Follower>()
  let tailing: Promise<void> | undefined
  let closed = false

  async function tail(): Promise<void> {
    let cursor: FeedCursor | undefined
    let retryMs = leastRetryMs
    while (isWanted()) {
      try {
        cursor ??= await inTransaction(pool, readHorizon)
        admitArrivals()
        const after: FeedCursor = cursor
        const page = await asTenants(pool, followers.tenantIds(), (trx) => readEvents(trx, after, pageEvents))
        if (retryMs > leastRetryMs) logger.info('the live feed reads again')
        retryMs = leastRetryMs
        cursor = page.next
        await tellAll(page.events)
        if (page.atEnd && isWanted()) await pause.wait(page.events.length > 0)
      } catch (error) {
        if ((error as { code?: unknown }).code === 'FEED_AHEAD_OF_DATABASE') {
          cursor = undefined
          for (const follower of everyFollower()) follower.end(error as Error)
        }
        if (retryMs === leastRetryMs) logger.warn({ err: error }, 'the live feed cannot read; trying again')
        retryMs = Math.min(retryMs * 2, mostRetryMs)
        if (isWanted()) await pause.waitFor(retryMs)
      }
    }
  }

  /** Between two reads: from here on a newcomer's tenant is read, so its cursor is the tailer's. */
  function admitArrivals(): void {
    for (const follower of arriving) {
      followers.add(follower)
      follower.establish()
    }
    arriving = new Set()
  }

  /** In turns of the event loop, so that readers can take what a large batch brings them. */
  async function tellAll(events: readonly StatusEvent[]): Promise<void> {
    for (const [index, event] of events.entries()) {
      if (index > 0 && index % toldAtOnce === 0) await turnOfTheLoop()
      tell(event)
    }
  }

  function tell(event: StatusEvent): void {
    for (const follower of followers.concernedBy(event)) follower.offer(event)
  }

  function leave(follower: Follower): void {
    arriving.delete(follower)
    followers.delete(follower)
    if (!isWanted()) pause.wakeUp()
  }

  const everyFollower = () => [...arriving, ...followers.all()]
  const isWanted = () => arriving.size > 0 || followers.size > 0

  /** The check and the start are one step, so nobody arrives between a tailer's last look and its end. */
  function ensureTailer(): void {
    tailing ??= tail().finally(() => {
      tailing = undefined
      if (isWanted()) ensureTailer()
    })
  }

  return {
    async follow({ tenantId, about, accepts, signal }) {
      signal.throwIfAborted()
      if (closed) throw shuttingDown()
      const follower = createFollower({
        tenantId,
        about,
        accepts,
        signal,
        bufferEvents: options.bufferEvents ?? 2_000,
        onEnd: leave,
      })
      arriving.add(follower)
      ensureTailer()
      pause.wakeUp()
      await follower.established
      return follower.events
    },
    async close() {
      closed = true
      for (const follower of everyFollower()) follower.end(shuttingDown())
      await tailing
      pause.close()
    },
  }
}

const shuttingDown = () => new OperationalError('SHUTTING_DOWN', 'the service is stopping; follow again')
