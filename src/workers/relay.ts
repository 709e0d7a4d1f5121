import type pg from 'pg'
import type { Logger } from 'pino'
import { type FeedCursor, feedStart } from '../domain/status-event.ts'
import { disableCursor, openCursor } from '../pipeline/stream/feed-cursor.ts'
import type { FeedEncoder } from '../pipeline/stream/feed-encoder.ts'
import {
  readFeedIdentity,
  reconcileMirror,
  relayName,
  toKafkaPosition,
  toPlace,
} from '../pipeline/stream/feed-position.ts'
import { createPollPause } from '../pipeline/stream/poll-pause.ts'
import type { Clock } from '../platform/clock.ts'
import { isPassingFault } from '../platform/db.ts'
import { OperationalError } from '../platform/errors.ts'
import type { TopicFinding } from '../platform/kafka/topic-findings.ts'
import type { PublisherSession, TransactionalPublisher } from '../platform/kafka/transactional-publisher.ts'
import type { LeaderLock, Leadership } from '../platform/leader-lock.ts'
import { statusEventsTopic, type Wake } from '../platform/wake.ts'
import { createBackoff } from './backoff.ts'
import { type LeadEnd, watchLeadEnd } from './lead-end.ts'
import { publishLog } from './publish-log.ts'

export type RelayState = 'off' | 'standby' | 'leading' | 'waiting for broker'

/** Why a round failed: the metric label. None of them loses an event. */
export type RelayFailure =
  | 'broker_unavailable'
  | 'broker_refused'
  | 'fenced'
  | 'schema_registry_unavailable'
  | 'schema_refused'
  | 'cannot_decrypt'
  | 'lead_lost'
  | 'cursor_moved'
  | 'other_database'
  | 'database'
  /** A fault of ours. */
  | 'bug'

export interface RelayMetrics {
  published(events: number): void
  failed(reason: RelayFailure): void
}

export interface RelayDeps {
  /** In the role carillon_worker. */
  pool: pg.Pool
  /** Absent where no brokers are configured: the lane is switched off. */
  publisher?: TransactionalPublisher
  leaderLock: LeaderLock
  clock: Clock
  wake?: Pick<Wake, 'on'>
  metrics: RelayMetrics
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /** The row in carillon.feed_cursors, and the lock. */
  lane?: string
  encoder: FeedEncoder
  /** What the topics' names begin with, and with them the relay's own in Kafka. */
  topicPrefix: string
  partitions: number
  /** -1: the broker's own. */
  replication: number
  /** -1: for ever; undefined: the broker's own. */
  retentionMs?: number
  batchEvents?: number
  idlePollMs: number
  /** How often the position is committed anew while nothing happens; brokers forget it after a week, if not told otherwise. */
  keepPositionMs?: number
  /** How long a leader tries a broker that is away before another process, which may reach it, gets the lead. */
  brokerPatienceMs?: number
  /** Hears of every change of state. */
  onState?: (state: RelayState) => void
  /** How long a stop waits for the transaction under way; what it did not see committed, the next leader asks Kafka about. */
  stopPatienceMs?: number
}

export interface Relay {
  /** Lets the transaction under way end, and gives up the lead. */
  stop(): Promise<void>
  state(): RelayState
}

const leastRetryMs = 100
const mostRetryMs = 5_000
/** Longer than a standby's pause between two tries for the lead, so that it is the standby who gets it. */
const standAgainMs = 2_500
const keepPositionMs = 12 * 3_600_000

/**
 * Publishes the log of status events to Kafka, exactly once and in the log's order for each key. A transaction carries the
 * events and the place they end at, so Kafka says how far it has got; the cursor in Postgres is that place's mirror. The
 * lock keeps relays from getting in each other's way; that only one of them counts is Kafka's part, by fencing.
 */
export function startRelay(deps: RelayDeps): Relay {
  const lane = deps.lane ?? 'kafka'
  // Of the topics that its messages may go to one that is always there, and the same after a change of their order.
  const positionTopic = deps.encoder.topics.toSorted()[0]!
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

  async function standAndLead(broker: TransactionalPublisher): Promise<void> {
    const retry = createBackoff(standAgainMs, mostRetryMs)
    while (!stopping.signal.aborted) {
      become('standby')
      const leadership = await deps.leaderLock.acquire(lane, stopping.signal).catch(() => undefined) // only when stopping
      if (!leadership) break
      const leadEnd = watchLeadEnd({
        lost: leadership.lost,
        lostError: leadLost,
        stopping: stopping.signal,
        stopPatienceMs: deps.stopPatienceMs ?? 5_000,
        stopError: () => new OperationalError('SHUTTING_DOWN', 'the relay is stopping'),
      })
      leadership.lost.addEventListener('abort', pause.wakeUp)
      try {
        await lead(broker, leadership, leadEnd, () => retry.reset())
      } catch (error) {
        become('standby')
        report(error)
      } finally {
        leadEnd.close()
        await broker.disconnect() // nothing of ours may still be on its way when another leads
        await leadership.release()
      }
      if (!stopping.signal.aborted) await pause.waitFor(retry.next())
    }
    become('off')
  }

  const told = new Set<string>()
  function tell(findings: readonly TopicFinding[]): void {
    for (const finding of findings) {
      const once = JSON.stringify(finding)
      if (!told.has(once)) deps.logger.warn(finding, `a topic is not as it should be: ${finding.meaning}`)
      told.add(once)
    }
  }

  async function lead(
    broker: TransactionalPublisher,
    leadership: Leadership,
    { answered }: LeadEnd,
    onProgress: () => void,
  ): Promise<void> {
    const isLeading = () => !stopping.signal.aborted && !leadership.lost.aborted
    const retry = createBackoff(leastRetryMs, mostRetryMs)
    const patienceMs = deps.brokerPatienceMs ?? 60_000
    let giveUpAt = performance.now() + patienceMs
    const identity = await readFeedIdentity(deps.pool)
    while (isLeading()) {
      try {
        await answered(prepare(broker))
        const mirror = await openCursor(deps.pool, lane, deps.clock.now())
        const name = relayName({ topicPrefix: deps.topicPrefix, lane, identity })
        const session = await answered(broker.takeOver({ name, positionTopic }))
        const from = await goOnFrom(session, mirror, identity)
        await answered(session.commit(toKafkaPosition(from, identity))) // however long it lay there, it is fresh now
        if (state === 'waiting for broker') deps.logger.info('the broker takes events again')
        become('leading')
        await publishLog({
          pool: deps.pool,
          clock: deps.clock,
          lane,
          identity,
          encoder: deps.encoder,
          session,
          from,
          batchEvents: deps.batchEvents ?? 2_000,
          keepPositionMs: deps.keepPositionMs ?? keepPositionMs,
          pause,
          isLeading,
          answered,
          published: deps.metrics.published,
          onProgress() {
            giveUpAt = performance.now() + patienceMs
            retry.reset()
            onProgress()
          },
        })
      } catch (error) {
        if (!isLeading()) break // whether it arrived or not, the next leader asks Kafka
        if (!isWorthWaiting(error) || performance.now() > giveUpAt) throw error
        if (state !== 'waiting for broker') deps.logger.warn({ err: error }, 'waiting for the broker')
        become('waiting for broker')
        deps.metrics.failed(failureOf(error))
        await broker.disconnect()
        await pause.waitFor(retry.next())
      }
    }
    if (leadership.lost.aborted) throw leadLost()
  }

  /** What publishing needs beside the broker's answers: topics, schemas. */
  async function prepare(broker: TransactionalPublisher): Promise<void> {
    tell(await broker.ensureTopics(deps.encoder.topics, deps))
    await deps.encoder.prepare?.()
  }

  /** The place where Kafka's last transaction ended, with the mirror put there. */
  async function goOnFrom(session: PublisherSession, mirror: FeedCursor, identity: string): Promise<FeedCursor> {
    const kafka = toPlace(session.position, identity)
    const found = await reconcileMirror(deps.pool, lane, mirror, kafka, deps.clock.now())
    const told = { lane, mirror, kafka: session.position, place: found.place }
    if (found.mirror === 'alone') {
      const text = 'Kafka keeps no position of this relay: it goes on from the mirror in Postgres'
      deps.logger[mirror.xid === feedStart.xid ? 'info' : 'warn'](told, text)
    } else if (found.mirror === 'ahead') {
      deps.logger.warn(told, 'Kafka has less than the mirror in Postgres said: what it lacks is published again')
    } else deps.logger.info(told, 'leading the relay')
    return found.place
  }

  function report(error: unknown): void {
    const reason = failureOf(error)
    deps.metrics.failed(reason)
    const level = graveReasons.includes(reason) ? 'error' : 'warn'
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
  KAFKA_FENCED: 'fenced',
  SCHEMA_REGISTRY_UNAVAILABLE: 'schema_registry_unavailable',
  SCHEMA_REFUSED: 'schema_refused',
  CANNOT_DECRYPT: 'cannot_decrypt',
  LEAD_LOST: 'lead_lost',
  CURSOR_MOVED: 'cursor_moved',
  FEED_OTHER_DATABASE: 'other_database',
  FEED_AHEAD_OF_DATABASE: 'other_database',
}

/** What has no code of ours is of the database where it has one of Postgres' or of the network's. */
function failureOf(error: unknown): RelayFailure {
  const { code } = error as { code?: unknown }
  return reasonOfCode[String(code)] ?? (isPassingFault(error) || typeof code === 'string' ? 'database' : 'bug')
}

/** A person has to do something. */
const graveReasons: readonly RelayFailure[] = [
  'other_database',
  'broker_refused',
  'schema_refused',
  'cannot_decrypt',
  'bug',
]
/** For the others the lead is given up at once. */
const waitedOut: readonly RelayFailure[] = [
  'broker_unavailable',
  'broker_refused',
  'schema_registry_unavailable',
  'schema_refused',
]
const isWorthWaiting = (error: unknown) => waitedOut.includes(failureOf(error))
