import { ByteReader } from './byte-reader.ts'
import { decompress } from './decompress.ts'

/*
 * Reading record batches (message format v2) as a read_committed consumer must: what aborted transactions wrote and the
 * marks of their ends left out, and the place to read on known even where nothing is left.
 */

export interface AbortedTransaction {
  producerId: bigint
  firstOffset: number
}

export interface Batch {
  first: number
  /** Compaction may have taken the record that had it. */
  last: number
  /** A mark of a transaction's end, or what an aborted one wrote. */
  isHidden: boolean
  /** As it came. */
  bytes: Buffer
}

const headBytes = 61
const codecMask = 0x07
const logAppendTimeBit = 0x08
const transactionalBit = 0x10
const controlBit = 0x20
const maxRecordsInBatch = 200_000

/** Messages from before Kafka 0.11. */
export class OldFormatError extends Error {}

/** The whole batches of an answer; its last one may have been cut off. Throws OldFormatError. */
export function* batchesOf(records: Buffer, aborted: readonly AbortedTransaction[] = []): Generator<Batch> {
  // By where they begin: brokers tell them by where they end.
  const starts = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<bigint>()
  for (let at = 0; at + headBytes <= records.length; ) {
    const end = at + 12 + records.readInt32BE(at + 8)
    if (end > records.length) return
    const bytes = records.subarray(at, end)
    if (bytes[16] !== 2) throw new OldFormatError('records of a format older than Kafka 0.11')
    at = end
    const first = Number(bytes.readBigInt64BE(0))
    const last = first + bytes.readInt32BE(23)
    const attributes = bytes.readInt16BE(21)
    const producerId = bytes.readBigInt64BE(43)
    while (starts[0] && starts[0].firstOffset <= last) aborting.add(starts.shift()!.producerId)
    const isControl = (attributes & controlBit) !== 0
    yield {
      first,
      last,
      bytes,
      isHidden: isControl || ((attributes & transactionalBit) !== 0 && aborting.has(producerId)),
    }
    if (isControl) aborting.delete(producerId) // the mark of whatever this producer had open
  }
}

/** The records of a batch, unpacked. */
export function unpack({ bytes }: Batch): Promise<Buffer> {
  return decompress(bytes.readInt16BE(21) & codecMask, bytes.subarray(headBytes))
}

/**
 * Reads the records of a batch that was unpacked. `read` is called at a record's key, and may stop where it likes; what it
 * has no use for is undefined. Throws RangeError where the bytes are not records.
 */
export function readRecords<T>(
  { bytes, first }: Batch,
  unpacked: Buffer,
  read: (reader: ByteReader, offset: number, timestampMs: number) => T | undefined,
): T[] {
  const count = bytes.readInt32BE(57)
  if (!(count >= 0 && count <= maxRecordsInBatch)) {
    throw new RangeError(`${count} messages in one batch, at most ${maxRecordsInBatch}`)
  }
  const isAppendTime = (bytes.readInt16BE(21) & logAppendTimeBit) !== 0
  const firstMs = Number(bytes.readBigInt64BE(27))
  const appendedMs = Number(bytes.readBigInt64BE(35))
  const reader = new ByteReader(unpacked)
  const records: T[] = []
  for (let index = 0; index < count; index++) {
    const size = reader.varint()
    const end = reader.at + size
    if (size < 0) throw new RangeError('a record of less than nothing')
    reader.at++ // attributes: none are defined
    const timestampMs = firstMs + reader.varint()
    const record = read(reader, first + reader.varint(), isAppendTime ? appendedMs : timestampMs)
    if (record !== undefined) records.push(record)
    reader.at = end
  }
  return records
}
