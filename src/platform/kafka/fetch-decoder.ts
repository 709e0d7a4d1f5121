import { createRequire } from 'node:module'
import type { ByteReader } from './byte-reader.ts'
import { type PartitionAnswer, readFetchResponse } from './fetch-response.ts'
import { batchesOf, OldFormatError, readRecords, unpack } from './record-batches.ts'

/*
 * What brokers answer to a fetch, read for kafkajs. Its own decoder cannot be let near what others write:
 * - a message's headers are copied once for each of them: a megabyte of small headers keeps it busy for hours;
 * - it knows gzip alone, and a batch in another codec ends the consumer, at each try again;
 * - it shows messages of aborted transactions where two of them overlapped, and where a message's key is four zero bytes;
 * - it has no bound on what a compressed batch becomes.
 * It is also several times as fast. Everything else (groups, assignments, connections, retries) stays kafkajs'.
 */

/** A message as kafkajs hands it on, with what could not be read of a batch. */
export interface FetchedMessage {
  offset: string
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, Buffer | Buffer[] | undefined>
  /** How many headers it came with; beyond `maxHeaders` they are left out. */
  headerCount: number
  /** Not for the reader: a mark of a transaction's end, or what an aborted one wrote. */
  isControlRecord: boolean
  /** The value is a whole batch, as it came, that could not be taken apart, and why. */
  undecodable?: string
}

export const maxHeaders = 500
/** What one answer may become in memory, though its last batch may go beyond it, and what a message costs beside its bytes. */
const maxAnswerBytes = 8 * 1024 * 1024
const messageBytes = 256

/** An answer of version 11, as kafkajs has it. Throws RangeError where it is not one. */
export async function decodeFetchResponse(bytes: Buffer) {
  const { throttleMs, errorCode, sessionId, partitions } = readFetchResponse(bytes)
  const responses: { topicName: string; partitions: ReturnType<typeof toKafkajs>[] }[] = []
  let room = maxAnswerBytes
  for (const answer of partitions) {
    // What is not taken apart now is fetched again: one answer's messages never fill the memory.
    const read = room > 0 ? await decodeBatches(answer, room) : { messages: [], bytes: 0 }
    room -= read.bytes
    const decoded = toKafkajs(answer, read.messages)
    const last = responses.at(-1)
    if (last?.topicName === answer.topic) last.partitions.push(decoded)
    else responses.push({ topicName: answer.topic, partitions: [decoded] })
  }
  return { throttleTime: 0, clientSideThrottleTime: throttleMs, errorCode, sessionId, responses }
}

const toKafkajs = (answer: PartitionAnswer, messages: FetchedMessage[]) => ({
  partition: answer.partition,
  errorCode: answer.errorCode,
  highWatermark: answer.highWatermark.toString(),
  logStartOffset: answer.logStart.toString(),
  abortedTransactions: [], // they are dealt with
  preferredReadReplica: answer.preferredReplica,
  messages,
})

/** As many batches as there is room for. */
async function decodeBatches({ records, aborted }: Pick<PartitionAnswer, 'records' | 'aborted'>, room: number) {
  const messages: FetchedMessage[] = []
  let bytes = 0
  for (const batch of batchesOf(records, aborted)) {
    if (bytes >= room) break
    if (batch.isHidden) {
      messages.push(markAt(batch.last))
      bytes += batch.bytes.length
      continue
    }
    try {
      const unpacked = await unpack(batch)
      const read = readRecords(batch, unpacked, readMessage)
      for (const message of read) messages.push(message)
      bytes += unpacked.length + read.length * messageBytes
    } catch (error) {
      const undecodable = `${(error as Error).name}: ${(error as Error).message}`
      messages.push({ ...markAt(batch.first), isControlRecord: false, value: batch.bytes, undecodable })
      bytes += batch.bytes.length
    }
    // Compaction may have taken the batch's last records; its last offset is passed all the same.
    if (messages.at(-1)?.offset !== String(batch.last)) messages.push(markAt(batch.last))
  }
  return { messages, bytes }
}

/** Keeps kafkajs going past an offset, and is shown to nobody. */
const markAt = (offset: number): FetchedMessage => ({
  offset: String(offset),
  timestamp: '0',
  key: null,
  value: null,
  headers: {},
  headerCount: 0,
  isControlRecord: true,
})

function readMessage(reader: ByteReader, offset: number, timestampMs: number): FetchedMessage {
  const key = reader.nullable()
  const value = reader.nullable()
  const headerCount = reader.varint()
  return {
    offset: String(offset),
    timestamp: String(timestampMs),
    key,
    value,
    headers: readHeaders(reader, Math.min(headerCount, maxHeaders)),
    headerCount,
    isControlRecord: false,
  }
}

function readHeaders(reader: ByteReader, count: number): FetchedMessage['headers'] {
  const headers: FetchedMessage['headers'] = Object.create(null)
  for (let left = count; left > 0; left--) {
    const name = reader.text(reader.varint())
    const value = reader.nullable() ?? undefined
    const before = headers[name]
    if (before === undefined) headers[name] = value
    else if (value !== undefined) headers[name] = [before, value].flat()
  }
  return headers
}

let installed = false

/** Has kafkajs 2.2.4 read fetches with our decoder. Call it before the first one. */
export function installFetchDecoder(): void {
  const require = createRequire(import.meta.url)
  if (installed || require('kafkajs/package.json').version !== '2.2.4') return
  installed = true
  const path = require.resolve('kafkajs/src/protocol/requests/fetch/v11/response')
  const original: { decode(bytes: Buffer): Promise<unknown>; parse: unknown } = require(path)
  require.cache[path]!.exports = {
    parse: original.parse,
    async decode(bytes: Buffer) {
      try {
        return await decodeFetchResponse(bytes)
      } catch (error) {
        if (error instanceof OldFormatError) return original.decode(bytes)
        throw error
      }
    },
  }
}
