import type pg from 'pg'
import type { Logger } from 'pino'
import type { FeedCursor, StatusEvent } from '../../domain/status-event.ts'
import { asTenants, inTransaction } from '../../platform/db.ts'
import { OperationalError } from '../../platform/errors.ts'
import { statusEventsTopic, type Wake } from '../../platform/wake.ts'
import { createFollower, type Follower } from './follower.ts'
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
  /** Which of the tenant's events; called for each of them, so it must be quick. */
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

const leastRetryMs = 50
const mostRetryMs = 5_000

/**
 * One tailer for all followers of this process, however many; it reads the tenants that are followed, and rests when
 * nobody is. An outage of the database delays it: the cursor is kept, and reading goes on from it.
 */
export function createLiveFeed(options: LiveFeedOptions): LiveFeed {
  const { pool, logger } = options
  const pageEvents = options.pageEvents ?? 500
  const pause = createPollPause({ idlePollMs: options.idlePollMs, wake: options.wake, topic: statusEventsTopic })
  const followersOf = new Map<string, Set<Follower>>()
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
        const page = await asTenants(pool, [...followersOf.keys()], (trx) => readEvents(trx, after, pageEvents))
        if (retryMs > leastRetryMs) logger.info('the live feed reads again')
        retryMs = leastRetryMs
        cursor = page.next
        for (const event of page.events) tell(event)
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
      const followers = followersOf.get(follower.tenantId) ?? new Set()
      followersOf.set(follower.tenantId, followers.add(follower))
      follower.establish()
    }
    arriving = new Set()
  }

  function tell(event: StatusEvent): void {
    for (const follower of followersOf.get(event.tenantId) ?? []) follower.offer(event)
  }

  function leave(follower: Follower): void {
    arriving.delete(follower)
    const followers = followersOf.get(follower.tenantId)
    followers?.delete(follower)
    if (followers?.size === 0) followersOf.delete(follower.tenantId)
    if (!isWanted()) pause.wakeUp()
  }

  function everyFollower(): Follower[] {
    return [...arriving, ...[...followersOf.values()].flatMap((followers) => [...followers])]
  }

  const isWanted = () => arriving.size > 0 || followersOf.size > 0

  /** The check and the start are one step, so nobody arrives between a tailer's last look and its end. */
  function ensureTailer(): void {
    tailing ??= tail().finally(() => {
      tailing = undefined
      if (isWanted()) ensureTailer()
    })
  }

  return {
    async follow({ tenantId, accepts, signal }) {
      signal.throwIfAborted()
      if (closed) throw shuttingDown()
      const follower = createFollower({
        tenantId,
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
