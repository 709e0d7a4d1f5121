import { ByteReader } from './byte-reader.ts'
import type { AbortedTransaction } from './record-batches.ts'

export interface FetchResponse {
  throttleMs: number
  errorCode: number
  sessionId: number
  partitions: PartitionAnswer[]
}

export interface PartitionAnswer {
  topic: string
  partition: number
  errorCode: number
  highWatermark: bigint
  /** The first offset of the oldest open transaction, or the high watermark. */
  stable: bigint
  logStart: bigint
  aborted: AbortedTransaction[]
  preferredReplica: number
  /** Record batches; the last may be cut off. */
  records: Buffer
}

/**
 * What a broker answers to a fetch, version 11. Throws RangeError where it is not that. Source:
 * https://kafka.apache.org/protocol#The_Messages_Fetch
 */
export function readFetchResponse(bytes: Buffer): FetchResponse {
  const reader = new ByteReader(bytes)
  const head = { throttleMs: reader.int32(), errorCode: reader.int16(), sessionId: reader.int32() }
  const partitions: PartitionAnswer[] = []
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.text(reader.int16())
    for (let left = reader.int32(); left > 0; left--) {
      partitions.push({
        topic,
        partition: reader.int32(),
        errorCode: reader.int16(),
        highWatermark: reader.int64(),
        stable: reader.int64(),
        logStart: reader.int64(),
        aborted: readAborted(reader),
        preferredReplica: reader.int32(),
        records: reader.bytes(Math.max(0, reader.int32())),
      })
    }
  }
  return { ...head, partitions }
}

function readAborted(reader: ByteReader): AbortedTransaction[] {
  const aborted: AbortedTransaction[] = []
  for (let left = reader.int32(); left > 0; left--) {
    aborted.push({ producerId: reader.int64(), firstOffset: Number(reader.int64()) })
  }
  return aborted
}
