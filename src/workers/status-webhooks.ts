import { performance } from 'node:perf_hooks'
import type pg from 'pg'
import type { Logger } from 'pino'
import type { NewIntent } from '../domain/intent.ts'
import type { FeedCursor } from '../domain/status-event.ts'
import { acceptBatch, type Planner } from '../pipeline/accept/accept-batch.ts'
import type { Backlog } from '../pipeline/accept/backlog.ts'
import { disableCursor, moveCursor } from '../pipeline/stream/feed-cursor.ts'
import { createPollPause } from '../pipeline/stream/poll-pause.ts'
import { type FeedPage, readEvents } from '../pipeline/stream/read-events.ts'
import { anySubscription, loadSubscriptions, withoutOwn } from '../pipeline/stream/subscriptions.ts'
import { toStatusWebhooks, wantedEvents } from '../pipeline/stream/to-status-webhooks.ts'
import { openWebhookCursor, renewForeignSubscriptions } from '../pipeline/stream/webhook-cursor.ts'
import type { Clock } from '../platform/clock.ts'
import { inTransaction } from '../platform/db.ts'
import { OperationalError } from '../platform/errors.ts'
import type { IdSource } from '../platform/id-source.ts'
import type { LeaderLock, Leadership } from '../platform/leader-lock.ts'
import { statusEventsTopic, type Wake } from '../platform/wake.ts'
import { intentsQueue } from '../queue/queues.ts'
import { createBackoff } from './backoff.ts'

export type StatusWebhooksState = 'off' | 'standby' | 'leading'

/** Why a round failed: the metric label. None of them loses an event, or tells of one twice. */
export type StatusWebhooksFailure = 'lead_lost' | 'cursor_moved' | 'other_database' | 'database'

export interface StatusWebhooksDeps {
  /** In the role carillon_worker; unused while nobody is subscribed, but for a look now and then. */
  pool: pg.Pool
  leaderLock: LeaderLock
  clock: Clock
  ids: IdSource
  wake: Pick<Wake, 'on' | 'ring'>
  /** Of intents that wait to be planned: while it is old, events wait in the log. */
  backlog: Backlog
  /** Workers in this process, that plan what is accepted here without a look into the queue. */
  planner?: Planner
  keyTtlMs: number
  /** Intents that are planned together at most. */
  chunkSize: number
  idlePollMs: number
  metrics: { accepted(webhooks: number): void; failed(reason: StatusWebhooksFailure): void }
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  lane?: string
  pageEvents?: number
  /** How often to look whether anybody is subscribed, when nothing says so. */
  lookMs?: number
}

export interface StatusWebhooks {
  /** Lets the page under way end, and gives up the lead. */
  stop(): Promise<void>
  state(): StatusWebhooksState
}

export const statusWebhooksLane = 'status-webhooks'
/** The topic that says: an endpoint has been subscribed, or is no longer. */
export const subscriptionsTopic = 'webhook_subscriptions'

/** Between two reads of a log that trickles: what comes meanwhile goes along. */
const gapMs = 100
/** How far the cursor of a log that holds nothing for us may lag behind what was read. */
const saveMs = 5_000
/** Intents in one call of accept_intents. */
const slice = 1_000
/** Behind an older backlog no webhooks are put: they would only make it longer. */
const mostBacklogMs = 5_000
const backlogPauseMs = 500
const leastRetryMs = 500
const mostRetryMs = 10_000

/**
 * Turns status events into calls of the webhook endpoints that are subscribed to them, from one process at a time. An
 * event is accepted in the transaction that moves the cursor, so each endpoint is told of it exactly once, through kills and
 * takeovers; from there on it is a delivery like any other. While nobody is subscribed the lane is off: it reads nothing,
 * holds no lead, and retention does not wait for it.
 */
export function startStatusWebhooks(deps: StatusWebhooksDeps): StatusWebhooks {
  const { pool, clock, logger, wake } = deps
  const lane = deps.lane ?? statusWebhooksLane
  const pageEvents = deps.pageEvents ?? 1_000
  const lookMs = deps.lookMs ?? 10_000
  const stopping = new AbortController()
  const reading = createPollPause({ idlePollMs: deps.idlePollMs, wake, topic: statusEventsTopic, gapMs })
  const resting = createPollPause({ idlePollMs: lookMs, wake, topic: subscriptionsTopic })
  const wakeUp = () => {
    reading.wakeUp()
    resting.wakeUp()
  }
  let state: StatusWebhooksState = 'off'
  const running = standAndLead()

  async function standAndLead(): Promise<void> {
    const retry = createBackoff(leastRetryMs, mostRetryMs)
    while (!stopping.signal.aborted) {
      let leadership: Leadership | undefined
      try {
        state = 'off'
        if (!(await anySubscription(pool))) {
          await disableCursor(pool, lane, clock.now()) // its last subscription may have gone while nobody led
          await resting.wait(false)
          continue
        }
        state = 'standby'
        leadership = await deps.leaderLock.acquire(lane, stopping.signal).catch(() => undefined) // only when stopping
        if (!leadership) break
        leadership.lost.addEventListener('abort', wakeUp)
        await lead(leadership)
        retry.reset()
      } catch (error) {
        report(error)
        await resting.waitFor(retry.next())
      } finally {
        await leadership?.release()
      }
    }
    state = 'off'
  }

  /** Returns when nobody is subscribed any more, or at a stop. */
  async function lead(leadership: Leadership): Promise<void> {
    const isLeading = () => !stopping.signal.aborted && !leadership.lost.aborted
    if (!(await anySubscription(pool))) return switchOff()
    let stored = await inTransaction(pool, async (trx) => {
      await renewForeignSubscriptions(trx)
      return openWebhookCursor(trx, lane, clock.now())
    })
    state = 'leading'
    logger.info({ lane, cursor: stored }, 'leading the lane of status webhooks')
    let position = stored
    let savedMs = performance.now()
    let lookedMs = savedMs
    let ahead: Promise<FeedPage> | undefined
    while (isLeading()) {
      const page = await (ahead ?? readPage(position))
      ahead = page.atEnd ? undefined : readPage(page.next) // while this one is written
      ahead?.catch(() => {}) // thrown when it is awaited, or nobody wants it any more
      const intents = page.events.length > 0 ? await webhooksOf(page) : []
      position = page.next
      if (intents.length > 0 || (performance.now() - savedMs > saveMs && !isSame(stored, position))) {
        if (leadership.lost.aborted) break
        stored = await accept(intents, stored, position)
        savedMs = performance.now()
      }
      if (page.atEnd && performance.now() - lookedMs > lookMs) {
        lookedMs = performance.now()
        if (!(await anySubscription(pool))) return switchOff()
      }
      while (deps.backlog.ageMs() > mostBacklogMs && isLeading()) await reading.linger(backlogPauseMs)
      if (page.atEnd) await reading.wait(page.events.length > 0)
    }
    if (leadership.lost.aborted) throw new OperationalError('LEAD_LOST', 'the connection that holds the lead is gone')
  }

  /** A subscription that is made at this moment switches it on again, from where it began. */
  async function switchOff(): Promise<void> {
    await disableCursor(pool, lane, clock.now())
    logger.info({ lane }, 'nobody is subscribed to status events: the lane is off')
  }

  function readPage(after: FeedCursor): Promise<FeedPage> {
    return inTransaction(pool, (trx) => readEvents(trx, after, pageEvents, 'subscribed'))
  }

  async function webhooksOf({ events }: FeedPage): Promise<NewIntent[]> {
    const subscriptions = await loadSubscriptions(pool, events)
    const wanted = wantedEvents(events, subscriptions)
    return toStatusWebhooks(await withoutOwn(pool, wanted), subscriptions)
  }

  /** All of a page or nothing; the cursor first, so that one who leads no longer does no work in vain. */
  async function accept(intents: readonly NewIntent[], from: FeedCursor, to: FeedCursor): Promise<FeedCursor> {
    const planning = deps.planner && untilCommitted(deps.planner)
    try {
      await inTransaction(pool, async (trx) => {
        if (!(await moveCursor(trx, lane, from, to, clock.now()))) {
          throw new OperationalError('CURSOR_MOVED', 'another process has moved the cursor: it leads, and we do not')
        }
        for (let begin = 0; begin < intents.length; begin += slice) {
          await acceptBatch(intents.slice(begin, begin + slice), {
            ...deps,
            pool: trx,
            planner: planning,
            wake: () => {},
          })
        }
      })
    } catch (error) {
      planning?.abandon()
      throw error
    }
    planning?.begin()
    if (intents.length > 0) {
      deps.metrics.accepted(intents.length)
      wake.ring(intentsQueue('bulk'))
      wake.ring(statusEventsTopic)
    }
    return to
  }

  function report(error: unknown): void {
    const reason = failureOf(error)
    deps.metrics.failed(reason)
    const level = reason === 'other_database' ? 'error' : 'warn'
    logger[level]({ err: error, lane, reason }, 'the lane of status webhooks came to a halt, and will be tried again')
  }

  return {
    state: () => state,
    async stop() {
      stopping.abort()
      wakeUp()
      await running
      reading.close()
      resting.close()
    },
  }
}

/** A planner that is told of what was accepted when it is committed: before that nobody can read it. */
function untilCommitted(planner: Planner): Planner & { begin(): void; abandon(): void } {
  const accepted: Parameters<Planner['plan']>[] = []
  return {
    reserve: planner.reserve,
    release: planner.release,
    plan: (...chunk) => void accepted.push(chunk),
    begin() {
      for (const chunk of accepted) planner.plan(...chunk)
    },
    abandon() {
      for (const [lane, { tenantId, intents }] of accepted) planner.release(lane, tenantId, intents.length)
    },
  }
}

const isSame = (one: FeedCursor, other: FeedCursor) => one.xid === other.xid && one.id === other.id

const reasonOfCode: Record<string, StatusWebhooksFailure> = {
  LEAD_LOST: 'lead_lost',
  CURSOR_MOVED: 'cursor_moved',
  FEED_OTHER_DATABASE: 'other_database',
  FEED_AHEAD_OF_DATABASE: 'other_database',
}

const failureOf = (error: unknown): StatusWebhooksFailure =>
  reasonOfCode[(error as { code: string }).code] ?? 'database'
