import type pg from 'pg'
import type { Logger } from 'pino'
import type { FeedCursor, StatusEvent } from '../domain/status-event.ts'
import { feedTopics, toCloudEvent } from '../pipeline/stream/cloud-event.ts'
import { disableCursor, moveCursor, openCursor } from '../pipeline/stream/feed-cursor.ts'
import { createPollPause } from '../pipeline/stream/poll-pause.ts'
import { type FeedPage, readEvents } from '../pipeline/stream/read-events.ts'
import type { Clock } from '../platform/clock.ts'
import { inTransaction } from '../platform/db.ts'
import { OperationalError } from '../platform/errors.ts'
import type { KafkaPublisher } from '../platform/kafka.ts'
import type { LeaderLock, Leadership } from '../platform/leader-lock.ts'
import { statusEventsTopic, type Wake } from '../platform/wake.ts'

export type RelayState = 'off' | 'standby' | 'leading' | 'waiting for broker'

/** Why a round failed: the metric label. None of them loses an event. */
export type RelayFailure =
  | 'broker_unavailable'
  | 'broker_refused'
  | 'lead_lost'
  | 'cursor_moved'
  | 'other_database'
  | 'database'

export interface RelayMetrics {
  published(events: number): void
  failed(reason: RelayFailure): void
}

export interface RelayDeps {
  /** In the role carillon_worker. */
  pool: pg.Pool
  /** Absent where no brokers are configured: the lane is switched off. */
  publisher?: KafkaPublisher
  leaderLock: LeaderLock
  clock: Clock
  wake?: Pick<Wake, 'on'>
  metrics: RelayMetrics
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** The row in carillon.feed_cursors, and the lock. */
  lane?: string
  topicPrefix: string
  partitions: number
  /** -1: the broker's own. */
  replication: number
  batchEvents?: number
  idlePollMs: number
  /** How long a leader tries a broker that is away before another process, which may reach it, gets the lead. */
  brokerPatienceMs?: number
  /** Hears of every change of state. */
  onState?: (state: RelayState) => void
  /** How long a stop waits for the batch under way; the next leader publishes it again. */
  stopPatienceMs?: number
}

export interface Relay {
  /** Lets the batch under way end, and gives up the lead. */
  stop(): Promise<void>
  state(): RelayState
}

const leastRetryMs = 100
/** Between two reads of a log that trickles: a batch costs about the same, however small. */
const lingerMs = 100
const mostRetryMs = 5_000
/** Longer than a standby's pause between two tries for the lead, so that it is the standby who gets it. */
const standAgainMs = 2_500

/**
 * Publishes the log of status events to Kafka, from one process at a time: at least once, in the log's order for each
 * key, without a gap. A crash, or a broker that lost its answer, repeats at most one batch.
 */
export function startRelay(deps: RelayDeps): Relay {
  const lane = deps.lane ?? 'kafka'
  const batchEvents = deps.batchEvents ?? 2_000
  const topics = feedTopics.map((topic) => deps.topicPrefix + topic)
  const { publisher } = deps
  const stopping = new AbortController()
  const pause = createPollPause({ idlePollMs: deps.idlePollMs, wake: deps.wake, topic: statusEventsTopic })
  let state: RelayState = 'off'
  const become = (next: RelayState) => {
    if (next === state) return
    state = next
    deps.onState?.(next)
  }

  const running = publisher ? standAndLead(publisher) : switchOff()

  async function switchOff(): Promise<void> {
    deps.logger.info('no Kafka brokers are configured: the relay is off, and retention does not wait for it')
    await disableCursor(deps.pool, lane, deps.clock.now()).catch((error) => {
      deps.metrics.failed('database')
      deps.logger.error({ err: error }, 'could not switch the lane off: retention may wait for it')
    })
  }

  async function standAndLead(broker: KafkaPublisher): Promise<void> {
    const retry = createBackoff(standAgainMs, mostRetryMs)
    while (!stopping.signal.aborted) {
      become('standby')
      const leadership = await deps.leaderLock.acquire(lane, stopping.signal).catch(() => undefined) // only when stopping
      if (!leadership) break
      const ended = new AbortController()
      try {
        await lead(broker, leadership, leadIsOver(leadership, ended.signal), () => retry.reset())
      } catch (error) {
        become('standby')
        report(error)
      } finally {
        ended.abort()
        await broker.disconnect() // nothing of ours may still be on its way when another leads
        await leadership.release()
      }
      if (!stopping.signal.aborted) await pause.waitFor(retry.next())
    }
    become('off')
  }

  async function lead(
    broker: KafkaPublisher,
    leadership: Leadership,
    over: Promise<never>,
    onProgress: () => void,
  ): Promise<void> {
    const isLeading = () => !stopping.signal.aborted && !leadership.lost.aborted
    let stored = await openCursor(deps.pool, lane, deps.clock.now())
    let position = stored
    await untilBrokerTakes(isLeading, over, async () => {
      for (const small of await broker.ensureTopics(topics, deps)) {
        deps.logger.warn(small, 'a topic has fewer partitions than configured')
      }
    })
    deps.logger.info({ lane, cursor: stored }, 'leading the relay')
    let ahead: Promise<FeedPage> | undefined
    while (isLeading()) {
      const page = await (ahead ?? readPage(position))
      ahead = page.atEnd ? undefined : readPage(page.next) // while the broker has this one
      ahead?.catch(() => {}) // thrown when it is awaited, or nobody wants it any more
      if (page.events.length > 0) {
        const messages = page.events.map((event) => toCloudEvent(event, deps.topicPrefix))
        if (!(await untilBrokerTakes(isLeading, over, () => broker.publish(messages)))) break
        stored = await moveTo(page.events.at(-1)!, stored, leadership)
        deps.metrics.published(page.events.length)
      }
      position = page.next
      onProgress()
      if (page.atEnd) await (page.events.length > 0 ? pause.linger(lingerMs) : pause.wait(false))
    }
    if (leadership.lost.aborted) throw leadLost()
  }

  function readPage(after: FeedCursor) {
    return inTransaction(deps.pool, (trx) => readEvents(trx, after, batchEvents))
  }

  async function moveTo(last: StatusEvent, from: FeedCursor, leadership: Leadership): Promise<FeedCursor> {
    if (leadership.lost.aborted) throw leadLost()
    const to = { xid: last.xid, id: last.id }
    if (await moveCursor(deps.pool, lane, from, to, deps.clock.now())) return to
    throw new OperationalError('CURSOR_MOVED', 'another process has moved the cursor: it leads, and we do not')
  }

  /** Rejects when it makes no more sense to wait for the broker: the lead is lost, or a stop has waited long enough. */
  function leadIsOver(leadership: Leadership, ended: AbortSignal): Promise<never> {
    const over = Promise.withResolvers<never>()
    over.promise.catch(() => {}) // heard by whoever waits for the broker
    const onLost = () => {
      pause.wakeUp()
      over.reject(leadLost())
    }
    const onStop = () => {
      const stopped = new OperationalError('SHUTTING_DOWN', 'the relay is stopping')
      const timer = setTimeout(() => over.reject(stopped), deps.stopPatienceMs ?? 5_000)
      ended.addEventListener('abort', () => clearTimeout(timer))
    }
    leadership.lost.addEventListener('abort', onLost, { signal: ended })
    stopping.signal.addEventListener('abort', onStop, { signal: ended })
    return over.promise
  }

  /** Tries until the broker takes it; false when the lead ended meanwhile. Throws when its patience is at an end. */
  async function untilBrokerTakes(
    isLeading: () => boolean,
    over: Promise<never>,
    work: () => Promise<void>,
  ): Promise<boolean> {
    const retry = createBackoff(leastRetryMs, mostRetryMs)
    const giveUpAt = performance.now() + (deps.brokerPatienceMs ?? 60_000)
    while (isLeading()) {
      try {
        await Promise.race([work(), over])
        if (state === 'waiting for broker') deps.logger.info('the broker takes events again')
        become('leading')
        return true
      } catch (error) {
        if (!isLeading()) break // whether it arrived or not, the next leader publishes it
        if (performance.now() > giveUpAt) throw error
        if (state !== 'waiting for broker') deps.logger.warn({ err: error }, 'waiting for the broker')
        become('waiting for broker')
        deps.metrics.failed(failureOf(error))
        await pause.waitFor(retry.next())
      }
    }
    return false
  }

  function report(error: unknown): void {
    const reason = failureOf(error)
    deps.metrics.failed(reason)
    const level = reason === 'other_database' || reason === 'broker_refused' ? 'error' : 'warn'
    deps.logger[level]({ err: error, lane, reason }, 'the relay gave up the lead, and will stand for it again')
  }

  return {
    state: () => state,
    async stop() {
      stopping.abort()
      pause.wakeUp()
      await running
      pause.close()
    },
  }
}

const leadLost = () => new OperationalError('LEAD_LOST', 'the connection that holds the lead is gone')

const reasonOfCode: Record<string, RelayFailure> = {
  KAFKA_UNAVAILABLE: 'broker_unavailable',
  KAFKA_REFUSED: 'broker_refused',
  LEAD_LOST: 'lead_lost',
  CURSOR_MOVED: 'cursor_moved',
  FEED_OTHER_DATABASE: 'other_database',
  FEED_AHEAD_OF_DATABASE: 'other_database',
}

const failureOf = (error: unknown): RelayFailure => reasonOfCode[(error as { code: string }).code] ?? 'database'

function createBackoff(leastMs: number, mostMs: number) {
  let ms = leastMs
  return {
    next(): number {
      const now = ms
      ms = Math.min(ms * 2, mostMs)
      return now * (0.75 + Math.random() / 2)
    },
    reset(): void {
      ms = leastMs
    },
  }
}
