import { performance } from 'node:perf_hooks'
import type { BridgeTopic } from '../domain/bridge-topics.ts'
import type { NewIntent } from '../domain/intent.ts'
import type { BridgeOutcome } from '../domain/parked.ts'
import { priorities } from '../domain/priority.ts'
import { type AcceptedPage, type AcceptPageDeps, acceptPage, type MessagePage } from '../pipeline/accept/accept-page.ts'
import { type JudgedMessage, type JudgeSettings, judgeMessage } from '../pipeline/accept/judge-message.ts'
import { encodedValueOf, type InboundMessage } from '../pipeline/accept/read-envelope.ts'
import type { Clock } from '../platform/clock.ts'
import { isPassingFault } from '../platform/db.ts'
import type { FetchedMessage } from '../platform/kafka/fetch-decoder.ts'
import type { BatchTurn, FetchedBatch, TopicBounds, TopicPartition } from '../platform/kafka/group-consumer.ts'
import type { Logger } from '../platform/logger.ts'
import {
  type BridgeGroup,
  type BridgeOffset,
  beginBridgeOffsets,
  readBridgeOffsets,
  resetBridgeOffset,
} from '../store/bridge-offsets.ts'
import { createBackoff } from './backoff.ts'
import type { BridgeFailure } from './bridge.ts'

export interface LandingDeps extends AcceptPageDeps {
  group: BridgeGroup
  topicOf(topic: string): BridgeTopic
  bounds(topic: string): Promise<TopicBounds[]>
  judge: JudgeSettings
  /** Where topics begin that this group has never read. */
  startAt: 'earliest' | 'latest'
  /** How old the backlog behind accepting is, and how old it may be before the partitions wait. */
  backlog: { ageMs(): number; mostMs: number }
  clock: Clock
  logger: Pick<Logger, 'warn' | 'error'>
  /** Messages that are accepted in one commit, at most. */
  pageMessages?: number
  onLanded(topic: string, outcomes: readonly BridgeOutcome[], intents: readonly NewIntent[]): void
  onLost(topic: string, count: number): void
  onWait(reason: BridgeFailure, error?: unknown): void
}

const heartbeatMs = 2_000
const leastRetryMs = 100
const mostRetryMs = 5_000
const roomLookMs = 500
/** Of the values of one commit: they travel as one text. */
const pageBytes = 4 * 1024 * 1024

type Read = { message: InboundMessage; judged: JudgedMessage }

/** What is done with the batches of a session: they are read, judged and accepted, page by page. */
export function createLanding(deps: LandingDeps) {
  const { group } = deps
  const pageMessages = deps.pageMessages ?? 2_000
  const positions = new Map<string, BridgeOffset>()
  const keyOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`

  async function positionOf(at: TopicPartition, turn: BatchTurn): Promise<bigint | undefined> {
    const alive = keepAlive(turn)
    try {
      return await patiently(alive, () => lookUp(at))
    } finally {
      alive.end()
    }
  }

  async function lookUp({ topic, partition }: TopicPartition): Promise<bigint> {
    let known = await readBridgeOffsets(deps.pool, group, [topic])
    if (!known.some((each) => each.partition === partition)) {
      // Of a topic that is new to us, all partitions are noted at once: those that come later begin at their beginning.
      const atEnd = known.length === 0 && deps.startAt === 'latest'
      const from = (await deps.bounds(topic)).map((each) => ({
        partition: each.partition,
        nextOffset: atEnd ? each.high : each.low,
      }))
      await beginBridgeOffsets(deps.pool, group, topic, from, deps.clock.now())
      known = await readBridgeOffsets(deps.pool, group, [topic])
    }
    const position = known.find((each) => each.partition === partition)
    if (!position) throw new Error(`partition ${partition} of ${topic} has no position`)
    positions.set(keyOf({ topic, partition }), position)
    return position.nextOffset
  }

  async function onBatch(batch: FetchedBatch, turn: BatchTurn): Promise<bigint> {
    const alive = keepAlive(turn)
    try {
      return await landBatch(batch, alive)
    } finally {
      alive.end()
    }
  }

  async function landBatch(batch: FetchedBatch, alive: Alive): Promise<bigint> {
    const at = positions.get(keyOf(batch))!
    if (batch.beganAnew && !(await beginAnew(batch, at, alive))) return at.nextOffset
    const pages = cut(
      batch.messages.filter(({ offset }) => BigInt(offset) >= at.nextOffset),
      pageMessages,
    )
    if (pages.length === 0) pages.push([])
    for (const [index, page] of pages.entries()) {
      const next = index === pages.length - 1 ? batch.next : BigInt(page.at(-1)!.offset) + 1n
      if (next <= at.nextOffset) return at.nextOffset
      const read = await patiently(alive, async () => judgeAll(page.map(inbound), batch))
      if (!read || !(await untilThereIsRoom(alive, read))) return at.nextOffset
      if (!(await landPage({ group, from: { ...at }, next, messages: read }, at, alive))) {
        await patiently(alive, () => lookUp(batch))
        return positions.get(keyOf(batch))?.nextOffset ?? at.nextOffset
      }
    }
    return at.nextOffset
  }

  /** Where we were is gone. False: another process has dealt with it, or our turn is over. */
  async function beginAnew(batch: FetchedBatch, at: BridgeOffset, alive: Alive): Promise<boolean> {
    const { topic, partition, from } = batch
    const place = { topic, partition, position: at.nextOffset.toString(), from: from.toString() }
    if (from > at.nextOffset) {
      const lost = Number(from - at.nextOffset)
      deps.logger.error({ ...place, lost }, 'the retention of a topic took messages before they were read')
      deps.onLost(topic, lost)
      return true
    }
    if (from === at.nextOffset) return true
    deps.logger.error(
      place,
      'a partition ends before our position: it was made anew, or cut off; it is read from its beginning',
    )
    const reset = await patiently(alive, () => resetBridgeOffset(deps.pool, group, at, from, deps.clock.now()))
    await patiently(alive, () => lookUp(batch))
    Object.assign(at, positions.get(keyOf(batch)))
    positions.set(keyOf(batch), at)
    return reset === true
  }

  async function judgeAll(page: readonly InboundMessage[], batch: FetchedBatch): Promise<Read[]> {
    const { judge } = deps
    await judge.decoder.prepare(page.flatMap((message) => (message.undecodable ? [] : (encodedValueOf(message) ?? []))))
    const at = { ...deps.topicOf(batch.topic), partition: batch.partition }
    const now = deps.clock.now()
    return page.map((message) => {
      try {
        return { message, judged: judgeMessage(message, at, judge, now) }
      } catch (error) {
        const place = { topic: batch.topic, partition: batch.partition, offset: message.offset.toString() }
        deps.logger.error({ err: error, ...place }, 'a message cannot be judged through a fault of ours, and is parked')
        return { message, judged: refused('reading it failed through a fault of ours') }
      }
    })
  }

  /** Accepts a page, and moves `at` with it. What Postgres refuses for its content is found by halves, and parked alone. */
  async function landPage(page: MessagePage, at: BridgeOffset, alive: Alive): Promise<boolean> {
    let accepted: AcceptedPage | undefined
    try {
      accepted = await patiently(alive, () => acceptPage(page, deps, deps.clock.now()))
    } catch (error) {
      if (!isOfContent(error)) throw error
      const { messages, from, next } = page
      if (messages.length === 1 && messages[0]!.judged.ok) {
        const judged = refused(`the database refuses it (${(error as { code: string }).code})`)
        return landPage({ ...page, messages: messages.map(({ message }) => ({ message, judged })) }, at, alive)
      }
      if (messages.length <= 1) throw error
      const half = messages.length >> 1
      const middle = messages[half]!.message.offset
      if (!(await landPage({ ...page, from, next: middle, messages: messages.slice(0, half) }, at, alive))) return false
      return landPage({ ...page, from: { ...at }, next, messages: messages.slice(half) }, at, alive)
    }
    if (!accepted) return false
    at.nextOffset = page.next
    deps.onLanded(at.topic, accepted.outcomes, accepted.intents)
    return true
  }

  async function untilThereIsRoom(alive: Alive, read: readonly Read[]): Promise<boolean> {
    const { ageMs, mostMs } = deps.backlog
    const isUrgent = read.every(({ judged }) => !judged.ok || judged.intent.priority === priorities.CRITICAL)
    while (!isUrgent && ageMs() > mostMs) {
      if (alive.isOver()) return false
      deps.onWait('overloaded')
      await alive.pause(roomLookMs)
    }
    return !alive.isOver()
  }

  /** Tries until it succeeds or the turn is over, which is `undefined`. Throws what does not pass by itself. */
  async function patiently<T>(alive: Alive, work: () => Promise<T>): Promise<T | undefined> {
    const retry = createBackoff(leastRetryMs, mostRetryMs)
    while (!alive.isOver()) {
      try {
        return await work()
      } catch (error) {
        const reason = passingReason(error)
        if (!reason) throw error
        deps.onWait(reason, error)
        await alive.pause(retry.next())
      }
    }
    return undefined
  }

  return { positionOf, onBatch, forget: () => positions.clear() }
}

const refused = (detail: string): JudgedMessage => ({ ok: false, reason: 'refused', detail })

function passingReason(error: unknown): BridgeFailure | undefined {
  const { code } = error as { code?: string }
  if (code === 'SCHEMA_REGISTRY_UNAVAILABLE' || code === 'SCHEMA_REFUSED') return 'registry'
  if (code === 'KAFKA_UNAVAILABLE') return 'broker_unavailable'
  return isPassingFault(error) ? 'database' : undefined
}

/**
 * Whether Postgres refused what a message holds: not what we do with it, nor for want of a partition (which names no
 * constraint), nor because the server itself is not well (22023 is also what a connection gets then).
 */
function isOfContent(error: unknown): boolean {
  const { code = '', constraint } = error as { code?: string; constraint?: string }
  if (code === '22023') return false
  return /^(22|54)[0-9A-Z]{3}$/.test(code) || (/^23[0-9A-Z]{3}$/.test(code) && constraint !== undefined)
}

const inbound = (message: FetchedMessage): InboundMessage => ({ ...message, offset: BigInt(message.offset) })

function cut(messages: readonly FetchedMessage[], most: number): FetchedMessage[][] {
  const pages: FetchedMessage[][] = []
  let bytes = 0
  for (const message of messages) {
    const size = message.value?.length ?? 0
    const page = pages.at(-1)
    if (!page || page.length >= most || bytes + size > pageBytes) {
      pages.push([message])
      bytes = size
    } else {
      page.push(message)
      bytes += size
    }
  }
  return pages
}

interface Alive {
  /** The group, or a stop, has taken the partition from us. */
  isOver(): boolean
  pause(ms: number): Promise<void>
  end(): void
}

/** Beats for as long as something is in work, however long that takes. */
function keepAlive(turn: BatchTurn): Alive {
  let dealtAnew = false
  let lastMs = performance.now()
  const beat = async () => {
    lastMs = performance.now()
    await turn.heartbeat().catch(() => {
      dealtAnew = true // kafkajs says it once more when the batch is done, and joins again
    })
  }
  const timer = setInterval(() => void beat(), heartbeatMs)
  const isOver = () => dealtAnew || turn.isOver()
  return {
    isOver,
    async pause(ms) {
      for (const until = performance.now() + ms; !isOver(); ) {
        const left = until - performance.now()
        if (left <= 0) return
        await new Promise((resolve) => setTimeout(resolve, Math.min(left, 200)))
        if (performance.now() - lastMs > heartbeatMs) await beat()
      }
    },
    end: () => clearInterval(timer),
  }
}
