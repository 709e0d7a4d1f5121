import type pg from 'pg'
import { idTimeMs } from '../../domain/ids.ts'
import type { FeedCursor, StatusEvent } from '../../domain/status-event.ts'
import type { PartitionRange, TopicReader } from '../../platform/kafka/consumer.ts'
import { partitionOf } from '../../platform/kafka/partition.ts'
import type { KafkaMessage } from '../../platform/kafka/publisher.ts'
import type { ReadRecord } from '../../platform/kafka/read-committed.ts'
import { sequenceOf } from './cloud-event.ts'
import type { FeedEncoder } from './feed-encoder.ts'
import { type FeedMessage, readFeedMessage } from './feed-message.ts'
import { readLane } from './read-lane.ts'
import { type FeedPeriod, readPeriod } from './read-period.ts'
import { createLastSequences, createSeenIds, hashOf } from './seen-events.ts'

/** What is wrong between the log and Kafka. `foreign`: in Kafka, and not in the log. `changed`: topic, key, type, subject … differ. */
export const findingKinds = ['missing', 'doubled', 'outOfOrder', 'changed', 'foreign'] as const
export type FindingKind = (typeof findingKinds)[number]

export interface Finding {
  kind: FindingKind
  /** The event's id, where the message has one. */
  id?: string
  type?: string
  topic?: string
  partition?: number
  offset?: number
  sequence?: string
}

export interface FeedReport extends Record<FindingKind, number> {
  from: string
  to: string
  tenantId?: string
  /** Nothing is missing, doubled, out of order or changed. */
  ok: boolean
  /** Events of the period in the log, and how many of them are in Kafka. */
  events: number
  published: number
  /** Behind the relay's place in the log: it has yet to publish them. */
  notYetPublished: number
  /** Older than what their partition still holds: the topic's retention is shorter than the period. */
  pastRetention: number
  /** Messages that `feed replay` published once more. */
  replayed: number
  /** Of the foreign ones, those from before the first day that the log still has. */
  foreignBeforeLog: number
  /** A few of each kind. */
  findings: Finding[]
  remarks: string[]
}

export interface ReconcileOptions {
  /** In the role carillon_worker. */
  pool: pg.Pool
  reader: TopicReader
  encoder: FeedEncoder
  period: FeedPeriod
  /** The row of carillon.feed_cursors. */
  lane?: string
  /** How many messages are remembered at once, with 130 bytes each at most and half of that usually; more take more passes. */
  shareMessages?: number
  signal?: AbortSignal
  openTransactionPatienceMs?: number
  onProgress?: (text: string) => void
}

/** A relay's clock may be behind that of the process which made an event's id. */
const clockSkewMs = 10 * 60_000
const mostFindings = 20
const progressEvery = 50_000

/**
 * Compares what a read_committed consumer sees in Kafka with the log of status events. First the relay's place is noted,
 * then the ends of the partitions, and the log is read last: so what the relay has passed must be there, and what is
 * there must be in the log, though both go on growing meanwhile.
 *
 * Memory is bounded: where there are more messages than `shareMessages`, Kafka and the log are read several times, each
 * time for a share of the keys. All of a key is in one share, so no count is less exact for it.
 */
export async function reconcileFeed(on: ReconcileOptions): Promise<FeedReport> {
  const { pool, reader, encoder, period, signal } = on
  const report = emptyReport(period)
  const lane = await readLane(pool, on.lane ?? 'kafka')
  const ranges = await reader.ranges(encoder.topics, { timeMs: period.from.getTime() - clockSkewMs })
  const total = ranges.reduce((sum, { from, end }) => sum + end - from, 0)
  const shares = Math.max(1, Math.ceil(total / (on.shareMessages ?? 2_000_000)))
  const partitions = createPartitions(ranges)
  if (lane.state !== 'on') report.remarks.push(`the relay's lane is ${lane.state}`)
  const absent = encoder.topics.filter((topic) => partitions.countOf(topic) === 0)
  if (absent.length > 0) report.remarks.push(`there is no topic ${absent.join(', ')}`)
  const note = (finding: Finding) => {
    report[finding.kind]++
    if (report.findings.filter(({ kind }) => kind === finding.kind).length < mostFindings) report.findings.push(finding)
  }

  for (let share = 0; share < shares; share++) {
    const seen = createSeenIds(total / shares)
    const sequences = createLastSequences(total / shares / 4)
    const part = shares > 1 ? ` (${share + 1} of ${shares})` : ''
    const isOfShare = (key: string) => shares === 1 || hashOf(key) % shares === share
    const tell = teller(`reading Kafka${part}`, total, on.onProgress)
    const held = (range: PartitionRange, offset: number) => {
      const text = `${range.topic}/${range.partition} is held back at offset ${offset} by an open transaction: no read_committed consumer sees what follows`
      if (!report.remarks.includes(text)) report.remarks.push(text)
    }
    const reading = { signal, openTransactionPatienceMs: on.openTransactionPatienceMs, onHeldBack: held }
    for await (const records of reader.read(ranges, reading)) {
      for (const record of records) takeRecord(record)
      tell(records.length)
    }
    signal?.throwIfAborted()

    const tellLog = teller(`reading the log${part}`, undefined, on.onProgress)
    for await (const events of readPeriod(pool, period)) {
      signal?.throwIfAborted()
      const messages = await encoder.encode(events)
      for (const [index, event] of events.entries()) takeEvent(event, messages[index]!)
      tellLog(events.length)
    }
    for (const id of seen.unmatched()) {
      if (idTimeMs(id) < lane.logBeginsMs) report.foreignBeforeLog++
      note({ kind: 'foreign', id })
    }

    function takeRecord(record: ReadRecord): void {
      const { topic, partition, offset } = record
      const message = readFeedMessage(record)
      if (!message) {
        if (share === 0) note({ kind: 'foreign', topic, partition, offset })
        return
      }
      if (message.replayId === undefined) partitions.noteFirst(record, message.sequence)
      if (!isOfPeriod(message, period) || !isOfShare(message.key)) return
      if (message.replayId !== undefined) {
        report.replayed++
        return
      }
      const { id, type, sequence } = message
      const place = { id, type, topic, partition, offset, sequence }
      if (!seen.add(id, checkOf(topic, message))) note({ kind: 'doubled', ...place })
      else if (!sequences.rises(`${topic}/${partition} ${message.key}`, sequence))
        note({ kind: 'outOfOrder', ...place })
    }

    function takeEvent(event: StatusEvent, message: KafkaMessage): void {
      const { topic, key } = message
      if (!isOfShare(key)) return
      report.events++
      const sequence = sequenceOf(event)
      const { id, type, subjectId, tenantId } = event
      const same = seen.match(id, checkOf(topic, { id, type, subjectId, tenantId, sequence, key }))
      if (same !== undefined) report.published++
      if (same === false) note({ kind: 'changed', id, type, topic, sequence })
      if (same !== undefined) return
      if (isBehind(event, lane.cursor)) report.notYetPublished++
      else if (partitions.hasDropped(topic, key, sequence)) report.pastRetention++
      else note({ kind: 'missing', id, type, topic, partition: partitions.partitionFor(topic, key), sequence })
    }
  }
  report.ok = report.missing + report.doubled + report.outOfOrder + report.changed === 0
  return report
}

function emptyReport({ from, to, tenantId }: FeedPeriod): FeedReport {
  const counts = { missing: 0, doubled: 0, outOfOrder: 0, changed: 0, foreign: 0, foreignBeforeLog: 0 }
  const others = { events: 0, published: 0, notYetPublished: 0, pastRetention: 0, replayed: 0 }
  const period = { from: from.toISOString(), to: to.toISOString(), ...(tenantId ? { tenantId } : {}) }
  return { ...period, ok: true, ...others, ...counts, findings: [], remarks: [] }
}

function isOfPeriod({ id, tenantId }: FeedMessage, period: FeedPeriod): boolean {
  if (period.tenantId !== undefined && tenantId !== period.tenantId) return false
  const at = idTimeMs(id)
  return at >= period.from.getTime() && at < period.to.getTime()
}

const checkOf = (topic: string, { type, subjectId, tenantId, sequence, key }: FeedMessage) =>
  hashOf(`${topic} ${type} ${subjectId} ${tenantId} ${sequence} ${key}`)

function isBehind(event: StatusEvent, cursor: FeedCursor): boolean {
  const ahead = BigInt(event.xid) - BigInt(cursor.xid)
  return ahead > 0n || (ahead === 0n && event.id > cursor.id)
}

/** What is known of the partitions: how many a topic has, and where those begin whose oldest records were dropped. */
function createPartitions(ranges: readonly PartitionRange[]) {
  const counts = new Map<string, number>()
  const firstOf = new Map<string, string | undefined>()
  for (const { topic, partition, oldest, from } of ranges) {
    counts.set(topic, (counts.get(topic) ?? 0) + 1)
    if (oldest > 0 && from === oldest) firstOf.set(`${topic}/${partition}`, undefined)
  }
  const countOf = (topic: string) => counts.get(topic) ?? 0
  const partitionFor = (topic: string, key: string) =>
    countOf(topic) === 0 ? undefined : partitionOf(Buffer.from(key), countOf(topic))
  return {
    countOf,
    partitionFor,
    noteFirst({ topic, partition }: ReadRecord, sequence: string): void {
      const name = `${topic}/${partition}`
      if (firstOf.has(name) && firstOf.get(name) === undefined) firstOf.set(name, sequence)
    },
    /** Whether the partition begins after this place of the log. One of which nothing is left may have held it. */
    hasDropped(topic: string, key: string, sequence: string): boolean {
      const name = `${topic}/${partitionFor(topic, key)}`
      return firstOf.has(name) && sequence < (firstOf.get(name) ?? '~')
    },
  }
}

function teller(what: string, total: number | undefined, onProgress: ReconcileOptions['onProgress']) {
  let done = 0
  let told = 0
  onProgress?.(what)
  return (more: number) => {
    done += more
    if (done - told < progressEvery) return
    told = done
    onProgress?.(`${what}: ${done}${total === undefined ? '' : ` of ${total}`}`)
  }
}
