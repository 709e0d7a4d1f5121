import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { lz4Decompress } from './lz4.ts'
import { snappyDecompress } from './snappy.ts'

/** What a batch is allowed to become: a megabyte of zeros compresses to almost nothing. */
export const maxDecompressedBytes = 32 * 1024 * 1024

const zlibOptions = { maxOutputLength: maxDecompressedBytes }

/**
 * The codecs of record batches, by their number in a batch's attributes. Each throws where the bytes are not what they say,
 * or too much comes out (RangeError).
 */
const decompressors: Record<number, (bytes: Buffer) => Promise<Buffer>> = {
  0: async (bytes) => bytes,
  1: (bytes) => promisify(gunzip)(bytes, zlibOptions),
  2: async (bytes) => snappyDecompress(bytes, maxDecompressedBytes),
  3: async (bytes) => lz4Decompress(bytes, maxDecompressedBytes),
  4: (bytes) => promisify(zstdDecompress)(bytes, zlibOptions),
}

/** Unpacks the records of a batch. */
export async function decompress(codec: number, bytes: Buffer): Promise<Buffer> {
  const read = decompressors[codec]
  if (!read) throw new RangeError(`codec ${codec} is not one of Kafka's`)
  return read(bytes)
}
