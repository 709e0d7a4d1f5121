import type { ByteReader } from './byte-reader.ts'
import { type AbortedTransaction, batchesOf, OldFormatError, readRecords, unpack } from './record-batches.ts'

export interface ReadRecord {
  topic: string
  partition: number
  offset: number
  /** Milliseconds since the epoch: the producer's clock, or the broker's where the topic says so. */
  timestampMs: number
  key: Buffer | null
  /** As UTF-8. Of one that comes twice, the last. */
  headers: Readonly<Record<string, string>>
  /** Null: a tombstone. */
  value: Buffer | null
}

/** What an answer holds of a partition. */
export interface RecordSet {
  topic: string
  partition: number
  records: Buffer
  aborted: readonly AbortedTransaction[]
  /** Records before it are left out: a broker answers with whole batches. */
  from: number
}

/** The offset after all that the answer holds whole; known before anything of it is unpacked. */
export function endOf(set: RecordSet): number {
  let end = set.from
  for (const batch of batchesIn(set)) end = Math.max(end, batch.last + 1)
  return end
}

/** The records that a read_committed consumer sees, a batch at a time: only that much is unpacked at once. */
export async function* readCommitted(set: RecordSet): AsyncGenerator<ReadRecord[]> {
  const { topic, partition, from } = set
  for (const batch of batchesIn(set)) {
    if (batch.isHidden || batch.last < from) continue
    yield readRecords(batch, await unpack(batch), (reader, offset, timestampMs) =>
      offset < from
        ? undefined
        : {
            topic,
            partition,
            offset,
            timestampMs,
            key: reader.nullable(),
            value: reader.nullable(),
            headers: headersOf(reader),
          },
    )
  }
}

function* batchesIn({ topic, partition, records, aborted }: RecordSet) {
  try {
    yield* batchesOf(records, aborted)
  } catch (error) {
    if (!(error instanceof OldFormatError)) throw error
    throw new Error(`${topic}/${partition} holds ${error.message}`, { cause: error })
  }
}

function headersOf(reader: ByteReader): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.text(reader.varint())
    headers[name] = reader.text(Math.max(0, reader.varint()))
  }
  return headers
}
