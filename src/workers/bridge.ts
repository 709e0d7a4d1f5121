import { type BridgeTopic, type BridgeTopicRule, matchBridgeTopic } from '../domain/bridge-topics.ts'
import type { NewIntent } from '../domain/intent.ts'
import type { BridgeOutcome } from '../domain/parked.ts'
import { laneOf } from '../domain/priority.ts'
import { isPassingFault } from '../platform/db.ts'
import type { KafkaOptions } from '../platform/kafka/connection.ts'
import {
  type GroupConsumer,
  openGroupConsumer,
  openTopicWatch,
  type TopicWatch,
} from '../platform/kafka/group-consumer.ts'
import type { Logger } from '../platform/logger.ts'
import { statusEventsTopic } from '../platform/wake.ts'
import { intentsQueue } from '../queue/queues.ts'
import { type BridgeGroup, readBridgeOffsets } from '../store/bridge-offsets.ts'
import { createBackoff } from './backoff.ts'
import { createLanding, type LandingDeps } from './bridge-landing.ts'

export type BridgeState = 'off' | 'connecting' | 'waiting for topics' | 'consuming' | 'waiting'

/** Why the bridge waits or begins anew: the metric label. None of them loses a message. */
export type BridgeFailure =
  | 'broker_unavailable'
  | 'broker_refused'
  | 'registry'
  | 'database'
  | 'overloaded'
  | 'moved'
  | 'fault'

export interface BridgeMetrics {
  messages(topic: string, outcome: BridgeOutcome, count: number): void
  /** Messages of a topic that are not landed yet, over all its partitions. */
  lag(topic: string, messages: number): void
  failed(reason: BridgeFailure): void
}

export interface BridgeDeps
  extends Omit<LandingDeps, 'group' | 'topicOf' | 'bounds' | 'onLanded' | 'onLost' | 'onWait'> {
  kafka: KafkaOptions
  groupId: string
  rules: readonly BridgeTopicRule[]
  /** Partitions whose messages land at once. */
  concurrency: number
  ring(topic: string): void
  metrics: BridgeMetrics
  logger: Pick<Logger, 'info' | 'warn' | 'error'>
  /**
   * After how long without a heartbeat a bridge's partitions are given away. A transaction of `pool` must not idle for longer:
   * one that sleeps holds the positions, and whoever was given the partitions waits for it.
   */
  sessionTimeoutMs: number
  /** How often it looks for new topics, and measures the lag. */
  lookEveryMs?: number
  onState?: (state: BridgeState) => void
}

export interface Bridge {
  /** Lets the pages under way commit, and leaves the group. */
  stop(): Promise<void>
  state(): BridgeState
}

const leastRetryMs = 200
const mostRetryMs = 5_000

/**
 * Lands the messages of request topics as intents, each once: the position of a partition is moved in the transaction that
 * accepts what lies before it. Any number of bridges share the partitions by a Kafka group.
 */
export function startBridge(deps: BridgeDeps): Bridge {
  const lookEveryMs = deps.lookEveryMs ?? 15_000
  const stopping = new AbortController()
  const stopped = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()))
  let state: BridgeState = 'connecting'
  const become = (next: BridgeState) => {
    if (next === state) return
    state = next
    deps.onState?.(next)
  }
  const running = run()

  async function run(): Promise<void> {
    const retry = createBackoff(leastRetryMs, mostRetryMs)
    while (!stopping.signal.aborted) {
      become('connecting')
      let watch: TopicWatch | undefined
      try {
        watch = await openTopicWatch(deps.kafka)
        await serve(watch, retry.reset)
        continue // the topics are others by now
      } catch (error) {
        report(error)
      } finally {
        await watch?.close()
      }
      await pause(retry.next())
    }
    become('off')
  }

  async function serve(watch: TopicWatch, onProgress: () => void): Promise<void> {
    const group = { clusterId: await watch.clusterId(), groupId: deps.groupId }
    const topics = await findTopics(watch)
    if (topics.size === 0) {
      become('waiting for topics')
      await pause(lookEveryMs)
      return
    }
    const consumer = await openConsumer(group, topics, watch, onProgress)
    try {
      for (let failures = 0; !stopping.signal.aborted; ) {
        await Promise.race([consumer.failed, pause(lookEveryMs)])
        if (stopping.signal.aborted) return
        try {
          await measureLag(group, topics, watch)
          if (namesOf(await findTopics(watch)) !== namesOf(topics)) return
          failures = 0
        } catch (error) {
          if (++failures === 3) throw error // consuming goes on without the watch, but not for long
          deps.metrics.failed(failureOf(error))
        }
      }
    } finally {
      await consumer.close()
    }
  }

  async function openConsumer(
    group: BridgeGroup,
    topics: ReadonlyMap<string, BridgeTopic>,
    watch: TopicWatch,
    onProgress: () => void,
  ): Promise<GroupConsumer> {
    const landing = createLanding({
      ...deps,
      group,
      topicOf: (topic) => topics.get(topic)!,
      bounds: (topic) => watch.bounds(topic),
      onLanded(topic, outcomes, intents) {
        become('consuming')
        onProgress()
        for (const [outcome, { length }] of Map.groupBy(outcomes, (each) => each)) {
          deps.metrics.messages(topic, outcome, length)
        }
        wakeWorkers(intents)
      },
      onLost: (topic, count) => deps.metrics.messages(topic, 'lost', count),
      onWait(reason, error) {
        if (state !== 'waiting') deps.logger.warn({ err: error, reason }, 'the bridge waits, and loses nothing')
        become('waiting')
        deps.metrics.failed(reason)
      },
    })
    const consumer = await openGroupConsumer({
      kafka: deps.kafka,
      groupId: deps.groupId,
      sessionTimeoutMs: deps.sessionTimeoutMs,
      lookEveryMs,
      topics: [...topics.keys()],
      concurrency: deps.concurrency,
      positionOf: landing.positionOf,
      onBatch: landing.onBatch,
      onAssigned(partitions) {
        landing.forget()
        become('consuming')
        deps.logger.info({ partitions: partitions.length, topics: topics.size }, 'the bridge has its partitions')
      },
    })
    return consumer
  }

  function wakeWorkers(intents: readonly NewIntent[]): void {
    if (intents.length === 0) return
    for (const lane of new Set(intents.map(({ priority }) => laneOf(priority)))) deps.ring(intentsQueue(lane))
    deps.ring(statusEventsTopic)
  }

  async function findTopics(watch: TopicWatch): Promise<Map<string, BridgeTopic>> {
    const names = (await watch.topics()).filter((name) => !name.startsWith('__'))
    return new Map(
      names.flatMap((name) => {
        const found = matchBridgeTopic(name, deps.rules)
        return found ? [[name, found] as const] : []
      }),
    )
  }

  async function measureLag(group: BridgeGroup, topics: ReadonlyMap<string, BridgeTopic>, watch: TopicWatch) {
    const offsets = await readBridgeOffsets(deps.pool, group, [...topics.keys()])
    for (const topic of topics.keys()) {
      const mine = new Map(
        offsets.filter((each) => each.topic === topic).map((each) => [each.partition, each.nextOffset]),
      )
      let lag = 0
      for (const { partition, low, high } of await watch.bounds(topic))
        lag += Math.max(0, Number(high - (mine.get(partition) ?? low)))
      deps.metrics.lag(topic, lag)
    }
  }

  function report(error: unknown): void {
    const reason = failureOf(error)
    deps.metrics.failed(reason)
    const level = reason === 'broker_refused' || reason === 'fault' ? 'error' : 'warn'
    deps.logger[level]({ err: error, reason }, 'the bridge begins anew')
  }

  async function pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([over, stopped])
    clearTimeout(timer)
  }

  return {
    state: () => state,
    async stop() {
      stopping.abort()
      await running
    },
  }
}

const namesOf = (topics: ReadonlyMap<string, unknown>) => [...topics.keys()].sort().join()

const reasonOfCode: Record<string, BridgeFailure> = {
  KAFKA_UNAVAILABLE: 'broker_unavailable',
  KAFKA_REFUSED: 'broker_refused',
}

function failureOf(error: unknown): BridgeFailure {
  const known = reasonOfCode[(error as { code?: string }).code ?? '']
  return known ?? (isPassingFault(error) ? 'database' : 'fault')
}
